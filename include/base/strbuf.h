// strbuf: bytes that grow at the end. Owner: the embedding object; one thread. Not NUL-terminated unless
// strbuf_text is called. Growth aborts when memory is out.
#pragma once
#include "base/slice.h"
#include <stdarg.h>

struct strbuf {
    char *at;
    size_t len, cap;
};

void strbuf_release(struct strbuf *buf);
static inline void strbuf_free(struct strbuf *buf) { // a zeroed struct, as it is again afterwards, is empty
    if (buf->at)
        strbuf_release(buf);
}
void strbuf_grow(struct strbuf *buf, size_t more);
static inline void strbuf_clear(struct strbuf *buf) {
    buf->len = 0;
}
static inline char *strbuf_reserve(struct strbuf *buf, size_t more) { // room for `more`; len unchanged
    if (buf->cap - buf->len < more)
        strbuf_grow(buf, more);
    return buf->at + buf->len;
}
#if defined __GNUC__ && !defined __clang__ // gcc 12 follows a buffer that has room and no memory
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-null-argument"
#endif
static inline void strbuf_append(struct strbuf *buf, const char *at, size_t len) {
    if (len == 0)
        return;
    memcpy(strbuf_reserve(buf, len), at, len);
    buf->len += len;
}
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic pop
#endif
static inline void strbuf_slice(struct strbuf *buf, struct slice s) {
    strbuf_append(buf, s.at, s.len);
}
#define strbuf_literal(buf, text) strbuf_append((buf), (text), sizeof(text) - 1)
static inline void strbuf_char(struct strbuf *buf, char c) {
    *strbuf_reserve(buf, 1) = c;
    buf->len++;
}
void strbuf_string(struct strbuf *buf, const char *text);
void strbuf_u64(struct strbuf *buf, uint64_t value);
void strbuf_hex(struct strbuf *buf, uint64_t value, unsigned digits); // lower case, zero padded
void strbuf_format(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_json(struct strbuf *buf,
                 struct slice s); // a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD
const char *strbuf_text(struct strbuf *buf); // NUL-terminates (not counted in len)
static inline struct slice strbuf_as_slice(const struct strbuf *buf) {
    return slice_make(buf->at, buf->len);
}

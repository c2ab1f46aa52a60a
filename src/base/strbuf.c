#include "base/strbuf.h"
#include "base/mem.h"
#include <stdio.h>

void strbuf_release(struct strbuf *buf) {
    mem_free(buf->at);
    *buf = (struct strbuf){0};
}

void strbuf_grow(struct strbuf *buf, size_t more) {
    size_t need, cap;
    must(!__builtin_add_overflow(buf->len, more, &need));
    if (__builtin_mul_overflow(buf->cap, 2u, &cap) || cap < need)
        cap = need;
    if (cap < 64)
        cap = 64;
    buf->at = mem_resize(buf->at, cap);
    buf->cap = cap;
}

void strbuf_string(struct strbuf *buf, const char *text) {
    if (text)
        strbuf_append(buf, text, strlen(text));
}

void strbuf_u64(struct strbuf *buf, uint64_t value) {
    char digits[20];
    char *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    strbuf_append(buf, at, (size_t)(digits + sizeof digits - at));
}

void strbuf_hex(struct strbuf *buf, uint64_t value, unsigned digits) {
    char *at = strbuf_reserve(buf, digits);
    for (unsigned i = digits; i-- > 0; value >>= 4)
        at[i] = "0123456789abcdef"[value & 15];
    buf->len += digits;
}

void strbuf_format(struct strbuf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char *at = strbuf_reserve(buf, 128);
    size_t room = buf->cap - buf->len;
    int len = vsnprintf(at, room, format, args);
    va_end(args);
    if (len > 0 && (size_t)len >= room) {
        at = strbuf_reserve(buf, (size_t)len + 1);
        len = vsnprintf(at, (size_t)len + 1, format, again);
    }
    va_end(again);
    if (len > 0)
        buf->len += (size_t)len;
}

static void json_escape(struct strbuf *buf, unsigned char c) {
    static const char letter[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    strbuf_char(buf, '\\');
    if (c >= 32) {
        strbuf_char(buf, (char)c);
    } else if (letter[c]) {
        strbuf_char(buf, letter[c]);
    } else {
        strbuf_char(buf, 'u');
        strbuf_hex(buf, c, 4);
    }
}

static inline bool json_plain(char c) {
    return (unsigned char)c >= 32 && (unsigned char)c < 127 && c != '"' && c != '\\';
}

// How many bytes from the beginning stand in a JSON string as they are: eight at a time, of which none has
// its high bit set, is below 32, or becomes 0 by exclusive or with what must be escaped. A borrow may only
// make it stop early.
static size_t json_run(struct slice s) {
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    size_t run = 0;
    for (; s.len - run >= 8; run += 8) {
        uint64_t word, odd;
        memcpy(&word, s.at + run, 8);
        odd = word | (word - ones * 32) | ((word ^ ones * '"') - ones) | ((word ^ ones * '\\') - ones) |
              ((word ^ ones * 127) - ones);
        if (odd & high)
            break;
    }
    while (run < s.len && json_plain(s.at[run]))
        run++;
    return run;
}

void strbuf_json(struct strbuf *buf, struct slice s) {
    strbuf_char(buf, '"');
    while (s.len) {
        size_t run = json_run(s);
        strbuf_append(buf, s.at, run);
        s = slice_from(s, run);
        if (!s.len)
            break;
        size_t taken = 1;
        if ((unsigned char)s.at[0] >= 127) {
            size_t len = slice_utf8(s);
            if (len)
                strbuf_append(buf, s.at, taken = len);
            else
                strbuf_literal(buf, "\xef\xbf\xbd");
        } else {
            json_escape(buf, (unsigned char)s.at[0]);
        }
        s = slice_from(s, taken);
    }
    strbuf_char(buf, '"');
}

const char *strbuf_text(struct strbuf *buf) {
    *strbuf_reserve(buf, 1) = '\0';
    return buf->at;
}

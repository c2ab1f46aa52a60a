// slice: a borrowed run of bytes (not NUL-terminated). Owner: whoever owns the bytes. Any thread.
// A slice never outlives the buffer it points into; functions that keep one copy it first (arena_copy).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *at;
    size_t len;
};

#define SLICE_NONE     ((struct slice){0})
#define SLICE(literal) ((struct slice){.at = (literal), .len = sizeof(literal) - 1})

static inline struct slice slice_make(const char *at, size_t len) {
    return (struct slice){.at = at, .len = len};
}
// NULL makes the empty slice.
static inline struct slice slice_of(const char *text) {
    return (struct slice){.at = text, .len = text ? strlen(text) : 0};
}
static inline bool slice_equal(struct slice a, struct slice b) {
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a slice with a length has bytes
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
static inline bool slice_starts(struct slice s, struct slice prefix) {
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.at, prefix.at, prefix.len) == 0);
}
static inline struct slice slice_from(struct slice s, size_t offset) {
    return offset >= s.len ? slice_make(s.at + s.len, 0) : slice_make(s.at + offset, s.len - offset);
}

// ASCII case-insensitive comparison; never locale dependent.
bool slice_equal_fold(struct slice a, struct slice b);
// Without leading and trailing SP and HTAB.
struct slice slice_trim(struct slice s);
// Offset of the first c, or s.len when absent.
size_t slice_find(struct slice s, char c);
// Cuts the part before the first `separator` off *rest and returns it; *rest becomes what follows it
// (empty with at == NULL after the last part, so that a loop ends when rest->at is NULL).
struct slice slice_cut(struct slice *rest, char separator);
// The length of the well-formed UTF-8 sequence at the start of s, which is not empty (Unicode table 3-7: no
// overlong forms, no surrogates, nothing past U+10FFFF); 0: there is none.
size_t slice_utf8(struct slice s);
// Decimal digits only, no sign, no overflow; false otherwise.
bool slice_to_u64(struct slice s, uint64_t *value);

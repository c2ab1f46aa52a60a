#include "base/slice.h"

static inline unsigned char fold(char c) {
    unsigned char byte = (unsigned char)c;
    return (unsigned char)(byte - 'A') < 26 ? byte | 0x20 : byte;
}

bool slice_equal_fold(struct slice a, struct slice b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i] && fold(a.at[i]) != fold(b.at[i]))
            return false;
    return true;
}

static inline bool blank(char c) {
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s) {
    while (s.len && blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

size_t slice_find(struct slice s, char c) {
    const char *found = s.len ? memchr(s.at, c, s.len) : NULL;
    return found ? (size_t)(found - s.at) : s.len;
}

struct slice slice_cut(struct slice *rest, char separator) {
    size_t end = slice_find(*rest, separator);
    struct slice part = slice_make(rest->at, end);
    if (end == rest->len)
        *rest = slice_make(NULL, 0);
    else
        *rest = slice_make(rest->at + end + 1, rest->len - end - 1);
    return part;
}

bool slice_to_u64(struct slice s, uint64_t *value) {
    uint64_t result = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.at[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(result, 10u, &result) ||
            __builtin_add_overflow(result, digit, &result))
            return false;
    }
    *value = result;
    return true;
}

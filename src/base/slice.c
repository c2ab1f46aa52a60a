#include "base/slice.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline unsigned char fold(char c) {
    unsigned char byte = (unsigned char)c;
    return (unsigned char)(byte - 'A') < 26 ? byte | 0x20 : byte;
}

// Eight bytes at once: the upper bit of a byte of `upper` is set where A to Z stands.
static inline uint64_t fold_word(uint64_t word) {
    uint64_t low = word & EACH(0x7f);
    uint64_t from_a = low + EACH(0x80 - 'A'), past_z = low + EACH(0x7f - 'Z');
    uint64_t upper = from_a & ~past_z & ~word & EACH(0x80);
    return word | upper >> 2;
}

static inline bool words_differ(const char *a, const char *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x != y && fold_word(x) != fold_word(y);
}

bool slice_equal_fold(struct slice a, struct slice b) {
    if (a.len != b.len)
        return false;
    if (a.len >= 8) {
        for (size_t i = 0; i + 8 <= a.len; i += 8)
            if (words_differ(a.at + i, b.at + i))
                return false;
        return !words_differ(a.at + a.len - 8, b.at + b.len - 8);
    }
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

size_t slice_utf8(struct slice s) {
    const unsigned char *at = (const unsigned char *)s.at;
    unsigned char lead = at[0], low = 0x80, high = 0xbf;
    size_t len = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (len < 2)
        return len;
    if (len > s.len)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return len;
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

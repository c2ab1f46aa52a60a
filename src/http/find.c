#include "find.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (unsigned char)(byte))

static uint64_t eight(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

// Not 0 exactly when a byte of `word` is 0.
static uint64_t zero_in(uint64_t word) {
    return (word - EACH(1)) & ~word & EACH(0x80);
}

const char *find_either(const char *at, const char *end, char a, char b) {
    const uint64_t all_a = EACH(a), all_b = EACH(b);
    while (end - at >= 8 && !(zero_in(eight(at) ^ all_a) | zero_in(eight(at) ^ all_b)))
        at += 8;
    while (at < end && *at != a && *at != b)
        at++;
    return at;
}

// `[` and `{`, `]` and `}` differ in one bit only.
const char *find_structure(const char *at, const char *end) {
    for (; end - at >= 8; at += 8) {
        uint64_t word = eight(at), folded = word | EACH(0x20);
        if (zero_in(word ^ EACH('"')) | zero_in(folded ^ EACH('{')) | zero_in(folded ^ EACH('}')))
            break;
    }
    while (at < end && *at != '"' && (*at | 0x20) != '{' && (*at | 0x20) != '}')
        at++;
    return at;
}

const char *find_pair(const char *at, const char *end, char first, const char second[3]) {
    const uint64_t all = EACH(first), a = EACH(second[0]), b = EACH(second[1]), c = EACH(second[2]);
    for (; end - at >= 9; at += 8) {
        uint64_t word = eight(at) ^ all, next = eight(at + 1);
        if (zero_in(word | (next ^ a)) | zero_in(word | (next ^ b)) | zero_in(word | (next ^ c)))
            break;
    }
    for (; end - at >= 2; at++)
        if (*at == first && (at[1] == second[0] || at[1] == second[1] || at[1] == second[2]))
            return at;
    return end;
}

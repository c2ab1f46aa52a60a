#include "find.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Sixteen bytes side by side: vectors as gcc and clang know them on every machine. A comparison gives all
// ones for each byte that is equal. The compilers take no array of bytes for one, hence the struct.
#define WIDTH 16
struct lanes {
    unsigned char at __attribute__((vector_size(WIDTH)));
};
struct same {
    signed char at __attribute__((vector_size(WIDTH)));
};

static inline struct lanes load(const char *at) {
    struct lanes lanes;
    memcpy(&lanes.at, at, WIDTH);
    return lanes;
}

static inline bool any(struct same same) {
    uint64_t half[2];
    memcpy(half, &same.at, WIDTH);
    return (half[0] | half[1]) != 0;
}

const char *find_either(const char *at, const char *end, char a, char b) {
    const unsigned char first = (unsigned char)a, second = (unsigned char)b;
    for (; end - at >= WIDTH; at += WIDTH) {
        struct lanes lanes = load(at);
        if (any((struct same){(lanes.at == first) | (lanes.at == second)}))
            break;
    }
    while (at < end && *at != a && *at != b)
        at++;
    return at;
}

// `[` and `{`, `]` and `}` differ in one bit only.
const char *find_structure(const char *at, const char *end) {
    for (; end - at >= WIDTH; at += WIDTH) {
        struct lanes lanes = load(at), folded = {lanes.at | 0x20};
        if (any((struct same){(lanes.at == '"') | (folded.at == '{') | (folded.at == '}')}))
            break;
    }
    while (at < end && *at != '"' && (*at | 0x20) != '{' && (*at | 0x20) != '}')
        at++;
    return at;
}

const char *find_pair(const char *at, const char *end, char first, const char second[3]) {
    const unsigned char all = (unsigned char)first, a = (unsigned char)second[0],
                        b = (unsigned char)second[1], c = (unsigned char)second[2];
    for (; end - at > WIDTH; at += WIDTH) {
        struct lanes lanes = load(at), next = load(at + 1);
        if (any((struct same){(lanes.at == all) & ((next.at == a) | (next.at == b) | (next.at == c))}))
            break;
    }
    for (; end - at >= 2; at++)
        if (*at == first && (at[1] == second[0] || at[1] == second[1] || at[1] == second[2]))
            return at;
    return end;
}

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

// The first byte that is equal, or WIDTH.
#ifdef __SSE2__
#include <emmintrin.h>
static inline unsigned first(struct same same) {
    __m128i all;
    memcpy(&all, &same.at, WIDTH);
    unsigned bits = (unsigned)_mm_movemask_epi8(all);
    return bits ? (unsigned)__builtin_ctz(bits) : WIDTH;
}
#else
static inline unsigned first(struct same same) {
    uint64_t half[2];
    unsigned i = 0;
    memcpy(half, &same.at, WIDTH);
    if (!(half[0] | half[1]))
        return WIDTH;
    while (!same.at[i])
        i++;
    return i;
}
#endif

// Goes through the bytes from `at` on, `wide` of them looked at for each sixteen places; the last sixteen are
// looked at together with some that were looked at before, and held nothing. FOUND: of `lanes`, which begin
// at `here`.
#define FIND(wide, FOUND, SLOWLY)                             \
    if (end - at >= (wide)) {                                 \
        const char *last = end - (wide), *here = at;          \
        for (;;) {                                            \
            struct lanes lanes = load(here);                  \
            unsigned place = first((struct same){FOUND});     \
            if (place < WIDTH)                                \
                return here + place;                          \
            if (here == last)                                 \
                return end;                                   \
            here = last - here > WIDTH ? here + WIDTH : last; \
        }                                                     \
    }                                                         \
    SLOWLY

const char *find_either(const char *at, const char *end, char a, char b) {
    const unsigned char one = (unsigned char)a, two = (unsigned char)b;
    FIND(WIDTH, (lanes.at == one) | (lanes.at == two), {
        while (at < end && *at != a && *at != b)
            at++;
    })
    return at;
}

// `[` and `{`, `]` and `}` differ in one bit only.
const char *find_structure(const char *at, const char *end) {
    FIND(WIDTH,
         (lanes.at == '"') | ((struct lanes){lanes.at | 0x20}.at == '{') |
             ((struct lanes){lanes.at | 0x20}.at == '}'),
         {
             while (at < end && *at != '"' && (*at | 0x20) != '{' && (*at | 0x20) != '}')
                 at++;
         })
    return at;
}

const char *find_pair(const char *at, const char *end, char first_byte, const char second[3]) {
    const unsigned char all = (unsigned char)first_byte, a = (unsigned char)second[0],
                        b = (unsigned char)second[1], c = (unsigned char)second[2];
    FIND(WIDTH + 1,
         (lanes.at == all) & ((load(here + 1).at == a) | (load(here + 1).at == b) | (load(here + 1).at == c)),
         {
             for (; end - at >= 2; at++)
                 if (*at == first_byte && (at[1] == second[0] || at[1] == second[1] || at[1] == second[2]))
                     return at;
         })
    return end;
}

const char *find_notable(const char *at, const char *end, const char second[3]) {
    const unsigned char a = (unsigned char)second[0], b = (unsigned char)second[1],
                        c = (unsigned char)second[2];
    FIND(WIDTH + 1,
         (lanes.at == '\n') | (lanes.at == '\r') |
             ((lanes.at == '"') &
              ((load(here + 1).at == a) | (load(here + 1).at == b) | (load(here + 1).at == c))),
         {
             for (; end - at >= 2; at++)
                 if (*at == '\n' || *at == '\r' ||
                     (*at == '"' && (at[1] == second[0] || at[1] == second[1] || at[1] == second[2])))
                     return at;
         })
    return end;
}

#include "base/random.h"
#include "base/mem.h"
#include <errno.h>
#include <sys/random.h>

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_seed_fixed(struct random_state *state, uint64_t seed) {
    for (int i = 0; i < 4; i++)
        state->word[i] = splitmix(&seed); // never four zeros, which would be a fixed point
}

void random_seed(struct random_state *state) {
    uint64_t seed[4];
    ssize_t got;
    do
        got = getrandom(seed, sizeof seed, 0);
    while (got < 0 && errno == EINTR);
    must(got == sizeof seed);
    random_seed_fixed(state, seed[0]);
    for (int i = 1; i < 4; i++)
        state->word[i] ^= seed[i];
    if (!(state->word[0] | state->word[1] | state->word[2] | state->word[3]))
        state->word[0] = 1;
}

static inline uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

uint64_t random_next(struct random_state *state) {
    uint64_t *s = state->word;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

// Lemire's multiplication: unbiased, and a division only in the rare case.
uint64_t random_below(struct random_state *state, uint64_t bound) {
    must(bound > 0);
    unsigned __int128 product = (unsigned __int128)random_next(state) * bound;
    if ((uint64_t)product < bound) {
        uint64_t uneven = (0 - bound) % bound;
        while ((uint64_t)product < uneven)
            product = (unsigned __int128)random_next(state) * bound;
    }
    return (uint64_t)(product >> 64);
}

// random: a small fast generator (xoshiro256**), seeded from the system. Owner: one thread each. For load
// spreading and ids, never for secrets.
#pragma once
#include <stdint.h>

struct random_state {
    uint64_t word[4];
};
void random_seed(struct random_state *state);                      // from getrandom(2)
void random_seed_fixed(struct random_state *state, uint64_t seed); // repeatable, for tests
uint64_t random_next(struct random_state *state);
uint64_t random_below(struct random_state *state, uint64_t bound); // 0 <= result < bound, bound > 0

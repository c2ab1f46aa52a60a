// draw: random numbers as simulations need them. Every run has a generator of its own, seeded by its row and
// its number, so that a run comes out the same whatever ran before it.
#pragma once
#include "base/random.h"

#include <stdint.h>

struct random_state draw_begin(const char *row, unsigned run);
double draw_uniform(struct random_state *random); // 0 < result < 1
double draw_normal(struct random_state *random);  // mean 0, deviation 1
double draw_gamma(struct random_state *random, double shape);
double draw_beta(struct random_state *random, double a, double b);
uint32_t draw_poisson(struct random_state *random, double mean);
// How many of n succeed. By the gaps between successes where those are rare: errors cost what errors cost.
uint32_t draw_binomial(struct random_state *random, uint32_t n, double p);

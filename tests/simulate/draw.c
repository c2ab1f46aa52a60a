#include "draw.h"

#include <math.h>
#include <stdbool.h>

struct random_state draw_begin(const char *row, unsigned run) {
    uint64_t seed = UINT64_C(14695981039346656037);
    for (; *row; row++)
        seed = (seed ^ (unsigned char)*row) * UINT64_C(1099511628211);
    struct random_state random;
    random_seed_fixed(&random, seed + run * UINT64_C(0x9e3779b97f4a7c15));
    return random;
}

double draw_uniform(struct random_state *random) {
    return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

double draw_normal(struct random_state *random) { // Box and Muller
    double radius = sqrt(-2 * log(draw_uniform(random)));
    return radius * cos(6.283185307179586 * draw_uniform(random));
}

double draw_gamma(struct random_state *random, double shape) { // Marsaglia and Tsang
    if (shape < 1)
        return draw_gamma(random, shape + 1) * pow(draw_uniform(random), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    while (true) {
        double x = draw_normal(random), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(draw_uniform(random)) < 0.5 * x * x + d - d * v + d * log(v))
            return d * v;
    }
}

double draw_beta(struct random_state *random, double a, double b) {
    double x = draw_gamma(random, a);
    return x / (x + draw_gamma(random, b));
}

uint32_t draw_poisson(struct random_state *random, double mean) {
    uint32_t count = 0;
    for (double time = -log(draw_uniform(random)); time <= mean; time -= log(draw_uniform(random)))
        count++;
    return count;
}

uint32_t draw_binomial(struct random_state *random, uint32_t n, double p) {
    uint32_t hits = 0;
    if (n == 0 || p <= 0)
        return 0;
    if (p >= 1)
        return n;
    if (p > 0.5)
        return n - draw_binomial(random, n, 1 - p);
    if (p > 0.2) {
        for (uint32_t i = 0; i < n; i++)
            hits += draw_uniform(random) < p;
        return hits;
    }
    double per_step = log1p(-p);
    for (double at = 0;; hits++) {
        at += floor(log(draw_uniform(random)) / per_step) + 1;
        if (at > n)
            return hits;
    }
}

// latency: the exposed histogram's bucket is found from the fine one. A fine bucket is 2.2 % wide and so
// holds at most one bound: a table by fine bucket and one comparison are exact.
#include "metrics/variant.h"

// From a millisecond (a small answer of a local server) to two minutes (a long answer of a language model).
const double latency_bounds[LATENCY_BOUNDS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                               1,     2.5,    5,     10,   20,    30,   60,  120};

static const uint64_t bound_us[LATENCY_BOUNDS + 1] = {
    1000,    2500,    5000,    10000,    25000,    50000,    100000,   250000,    500000,
    1000000, 2500000, 5000000, 10000000, 20000000, 30000000, 60000000, 120000000, UINT64_MAX,
};

// For each fine bucket the first bound that a value in it may be at or below: the numbers between the dots
// are histogram_bucket() of the bounds (the unit test checks every edge).
static const uint8_t first_bound[HISTOGRAM_BUCKETS] = {
    [0 ... 318] = 0,    [319 ... 361] = 1,  [362 ... 393] = 2,
    [394 ... 425] = 3,  [426 ... 467] = 4,  [468 ... 499] = 5,
    [500 ... 531] = 6,  [532 ... 573] = 7,  [574 ... 605] = 8,
    [606 ... 637] = 9,  [638 ... 680] = 10, [681 ... 712] = 11,
    [713 ... 744] = 12, [745 ... 776] = 13, [777 ... 794] = 14,
    [795 ... 826] = 15, [827 ... 858] = 16, [859 ... HISTOGRAM_BUCKETS - 1] = LATENCY_BOUNDS,
};

static unsigned coarse_of(unsigned fine, uint64_t us) {
    unsigned coarse = first_bound[fine];
    return coarse + (us > bound_us[coarse]); // a bound belongs to its own bucket: le means at or below
}

unsigned latency_bucket(uint64_t us) {
    return coarse_of(histogram_bucket(us), us);
}

static void add(struct spread *spread, unsigned fine, uint64_t us) {
    counter_add(&spread->coarse[coarse_of(fine, us)], 1);
    counter_add(&spread->sum_us, us);
}

void spread_add(struct spread *spread, uint64_t us) {
    add(spread, histogram_bucket(us), us);
}

void latency_add(struct latency *latency, uint64_t us) {
    unsigned fine = histogram_bucket(us);
    counter_add(&latency->fine.count[fine], 1);
    add(&latency->spread, fine, us);
}

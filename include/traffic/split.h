// split: unit -> bucket -> variant. Pure; any thread; the same function serves the data path, `sluice assign`
// and every replica. docs/split.md has the formula for clients.
//   bucket = XXH3_64(unit, seed = XXH3_64(salt)) mod 10,000
// Variants own ranges of the bucket line 0..9999. Candidates are the variants other than the baseline, in the
// file's order: the first grows from 0 upward, the second from 9,999 downward, the third follows the first,
// the fourth precedes the second, and so on alternately; the baseline holds what is between. While only the
// first and second candidate's weights move, a ramp only ever adds units to a candidate and a rollback
// returns exactly those.
#pragma once
#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

#define BUCKETS    10000
#define SPLIT_ARMS 16 // variants a route may have

struct split_range {
    uint16_t first, end; // buckets first..end-1
    uint16_t variant;
};
struct split {
    struct split_range ranges[SPLIT_ARMS]; // in order, without gaps, covering 0..9999; empty ones left out
    uint16_t range_count;
    uint16_t weight[SPLIT_ARMS]; // basis points by variant, as given
    uint16_t variant_count;
};

// Weights in basis points; they sum to 10,000 and count <= SPLIT_ARMS (the configuration was checked).
void split_build(struct split *split, const uint16_t *weights, size_t count, size_t baseline);
uint64_t split_seed(struct slice salt);
uint16_t split_bucket(uint64_t seed, struct slice unit);
uint16_t split_variant(const struct split *split, uint16_t bucket);

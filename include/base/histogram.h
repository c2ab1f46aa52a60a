// histogram: counts of values in geometric buckets, 32 per octave (2.2 % wide), after
// docs/statistics.md: the same buckets serve percentiles shown to people and, later, evidence.
// One writer (histogram_add), any number of readers (relaxed loads); cumulative, never reset.
// Values are microseconds; 0 counts as 1. The last bucket holds everything from 2^32 us (71 minutes).
// Of the low buckets many hold no integer and stay empty; that is fine.
#pragma once
#include <stdint.h>

#define HISTOGRAM_PER_OCTAVE 32
#define HISTOGRAM_OCTAVES    32
#define HISTOGRAM_BUCKETS    (HISTOGRAM_PER_OCTAVE * HISTOGRAM_OCTAVES + 1)

struct histogram {
    uint64_t count[HISTOGRAM_BUCKETS];
};

// Bucket i holds values v with 2^(i/32) <= v < 2^((i+1)/32), exactly (no floating point at run time).
unsigned histogram_bucket(uint64_t value);
double histogram_lower(unsigned bucket); // the lower bound, microseconds
void histogram_add(struct histogram *histogram, uint64_t value);
// total[i] += from[i], read relaxed; to merge the workers' shards.
void histogram_merge(struct histogram *total, const struct histogram *from);
// The value below which `share` (0..1) of the counts lie, interpolated inside its bucket; 0 when empty.
double histogram_quantile(const struct histogram *histogram, double share);

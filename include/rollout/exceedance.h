// exceedance: latencies as yes-or-no outcomes: is a value beyond the baseline's quantile, as that was before
// the batch? Histograms are counts by bucket of a geometric scale (base/histogram.h). Pure.
#pragma once
#include <stddef.h>
#include <stdint.h>

// The smallest bucket up to which at least `quantile` of all values lie; count - 1 when there are none.
size_t exceedance_bucket(const uint64_t *histogram, size_t count, double quantile);
// Values above that bucket; *all gets their whole number.
uint64_t exceedance_count(const uint64_t *histogram, size_t count, size_t bucket, uint64_t *all);
// How many buckets the threshold moves when values may be `margin` (0.2: 20 %) larger; rounded up.
size_t exceedance_shift(double margin, unsigned per_octave);

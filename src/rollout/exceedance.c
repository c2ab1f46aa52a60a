#include "rollout/exceedance.h"

#include <math.h>

size_t exceedance_bucket(const uint64_t *histogram, size_t count, double quantile) {
    uint64_t all = 0, below = 0;
    for (size_t i = 0; i < count; i++)
        all += histogram[i];
    for (size_t i = 0; i < count; i++) {
        below += histogram[i];
        if ((double)below >= quantile * (double)all && all)
            return i;
    }
    return count - 1;
}

uint64_t exceedance_count(const uint64_t *histogram, size_t count, size_t bucket, uint64_t *all) {
    uint64_t above = 0;
    *all = 0;
    for (size_t i = 0; i < count; i++) {
        *all += histogram[i];
        above += i > bucket ? histogram[i] : 0;
    }
    return above;
}

size_t exceedance_shift(double margin, unsigned per_octave) {
    return (size_t)ceil(log2(1 + margin) * per_octave - 1e-9);
}

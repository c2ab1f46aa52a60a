#include "base/histogram.h"
#include "base/counter.h"
#include <math.h>

// step[s] = ceil(2^(63 + s/32)): where bucket s begins in an octave stretched to 2^63 … 2^64. Computed once
// with whole numbers of any length; s = 32 would be 2^64, which nothing below 2^32 reaches when stretched.
static const uint64_t step[HISTOGRAM_PER_OCTAVE + 1] = {
    0x8000000000000000u, 0x82cd8698ac2ba1d8u, 0x85aac367cc487b15u, 0x88980e8092da8528u, 0x8b95c1e3ea8bd6e7u,
    0x8ea4398b45cd53c1u, 0x91c3d373ab11c337u, 0x94f4efa8fef70962u, 0x9837f0518db8a970u, 0x9b8d39b9d54e5539u,
    0x9ef5326091a111aeu, 0xa27043030c496819u, 0xa5fed6a9b15138ebu, 0xa9a15ab4ea7c0ef9u, 0xad583eea42a14ac7u,
    0xb123f581d2ac2590u, 0xb504f333f9de6485u, 0xb8fbaf4762fb9eeau, 0xbd08a39f580c36bfu, 0xc12c4cca66709457u,
    0xc5672a115506dadeu, 0xc9b9bd866e2f27a3u, 0xce248c151f8480e4u, 0xd2a81d91f12ae45bu, 0xd744fccad69d6af5u,
    0xdbfbb797daf23756u, 0xe0ccdeec2a94e112u, 0xe5b906e77c8348a9u, 0xeac0c6e7dd24392fu, 0xefe4b99bdcdaf5ccu,
    0xf5257d152486cc2du, 0xfa83b2db722a033bu, UINT64_MAX,
};

// By the six bits after the leading one: the bucket of the cell's start. A cell (1/64 octave of the value) is
// narrower than any bucket, so that at most one step lies inside it and one comparison corrects the guess.
static const uint8_t guess[64] = {
    0,  0,  1,  2,  2,  3,  4,  4,  5,  6,  6,  7,  7,  8,  9,  9,  10, 10, 11, 12, 12, 13,
    13, 14, 14, 15, 15, 16, 16, 17, 17, 18, 18, 19, 19, 20, 20, 21, 21, 21, 22, 22, 23, 23,
    24, 24, 25, 25, 25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30, 30, 30, 31, 31,
};

unsigned histogram_bucket(uint64_t value) {
    if (value >> HISTOGRAM_OCTAVES)
        return HISTOGRAM_BUCKETS - 1;
    value |= value == 0;
    unsigned zeros = (unsigned)__builtin_clzll(value);
    uint64_t stretched = value << zeros;
    unsigned in_octave = guess[stretched >> 57 & 63];
    in_octave += stretched >= step[in_octave + 1];
    return (63 - zeros) * HISTOGRAM_PER_OCTAVE + in_octave;
}

double histogram_lower(unsigned bucket) {
    return exp2((double)bucket / HISTOGRAM_PER_OCTAVE);
}

void histogram_add(struct histogram *histogram, uint64_t value) {
    counter_add(&histogram->count[histogram_bucket(value)], 1);
}

void histogram_merge(struct histogram *total, const struct histogram *from) {
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total->count[i] += counter_read(&from->count[i]);
}

double histogram_quantile(const struct histogram *histogram, double share) {
    uint64_t total = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += counter_read(&histogram->count[i]);
    if (total == 0)
        return 0;
    share = share > 0 ? share < 1 ? share : 1 : 0;
    double rank = share * (double)total, below = 0;
    unsigned last = 0; // that holds anything
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = (double)counter_read(&histogram->count[i]);
        if (here == 0)
            continue;
        last = i;
        if (below + here >= rank) {
            double lower = histogram_lower(i);
            if (i == HISTOGRAM_BUCKETS - 1) // open at the top
                return lower;
            return lower + (histogram_lower(i + 1) - lower) * (rank - below) / here;
        }
        below += here;
    }
    return histogram_lower(last + (last < HISTOGRAM_BUCKETS - 1)); // rounding of a share next to 1
}

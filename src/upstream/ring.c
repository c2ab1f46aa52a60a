#include "ring.h"
#include <stdlib.h>

#define POINTS_PER_WEIGHT 64
#define POINTS_MOST       (1u << 20) // of a whole ring: 10,000 endpoints get at least 64 points each

struct point {
    uint64_t hash;
    uint32_t endpoint;
};
struct ring {
    size_t count, endpoint_count;
    struct point points[];
};

// Finaliser of splitmix64: spreads neighbouring inputs over the whole circle.
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int compare(const void *left, const void *right) {
    const struct point *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->endpoint > b->endpoint) - (a->endpoint < b->endpoint);
}

struct ring *ring_new(struct endpoint *const *endpoints, size_t count) {
    uint64_t weight = 0;
    for (size_t i = 0; i < count; i++)
        weight += endpoints[i]->weight;
    uint64_t each = POINTS_PER_WEIGHT;
    while (each > 1 && weight * each > POINTS_MOST)
        each--;
    struct ring *ring = mem_alloc(sizeof *ring + (size_t)(weight * each) * sizeof *ring->points);
    ring->count = 0;
    ring->endpoint_count = count;
    for (size_t i = 0; i < count; i++)
        for (uint64_t k = 0; k < endpoints[i]->weight * each; k++)
            ring->points[ring->count++] =
                (struct point){mix(endpoints[i]->hash + (k + 1) * 0x9e3779b97f4a7c15u), (uint32_t)i};
    qsort(ring->points, ring->count, sizeof *ring->points, compare);
    return ring;
}

void ring_free(struct ring *ring) {
    mem_free(ring);
}

size_t ring_find(const struct ring *ring, uint64_t unit_hash, bool (*usable)(size_t index, void *context),
                 void *context) {
    uint64_t place = mix(unit_hash);
    size_t low = 0, high = ring->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (ring->points[middle].hash < place)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < ring->count; i++) {
        size_t at = low + i < ring->count ? low + i : low + i - ring->count;
        if (usable(ring->points[at].endpoint, context))
            return ring->points[at].endpoint;
    }
    return ring->endpoint_count;
}

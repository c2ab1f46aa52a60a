#include "traffic/split.h"

#include "base/hash.h"
#include "base/mem.h"

static void add_range(struct split *split, unsigned first, unsigned end, size_t variant) {
    if (first == end)
        return;
    split->ranges[split->range_count++] =
        (struct split_range){.first = (uint16_t)first, .end = (uint16_t)end, .variant = (uint16_t)variant};
}

// The candidate with that number (0, 1, 2 …) in the order of the variants, the baseline left out.
static size_t candidate(size_t number, size_t baseline) {
    return number < baseline ? number : number + 1;
}

void split_build(struct split *split, const uint16_t *weights, size_t count, size_t baseline) {
    must(count > 0 && count <= SPLIT_ARMS && baseline < count);
    *split = (struct split){.variant_count = (uint16_t)count};
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) {
        split->weight[i] = weights[i];
        sum += weights[i];
    }
    must(sum == BUCKETS);

    unsigned left = 0, right = BUCKETS; // what is still the baseline's: left..right-1
    for (size_t number = 0; number < count - 1; number += 2) {
        size_t variant = candidate(number, baseline);
        add_range(split, left, left + weights[variant], variant);
        left += weights[variant];
    }
    for (size_t number = 1; number < count - 1; number += 2)
        right -= weights[candidate(number, baseline)];
    add_range(split, left, right, baseline);
    // The last of them stands next to the baseline, so going back through them goes up the line.
    for (size_t number = (count - 1) / 2 * 2; number >= 2; number -= 2) {
        size_t variant = candidate(number - 1, baseline);
        add_range(split, right, right + weights[variant], variant);
        right += weights[variant];
    }
    must(right == BUCKETS);
}

uint64_t split_seed(struct slice salt) {
    return hash_bytes(0, salt);
}

uint16_t split_bucket(uint64_t seed, struct slice unit) {
    return (uint16_t)(hash_bytes(seed, unit) % BUCKETS);
}

uint16_t split_variant(const struct split *split, uint16_t bucket) {
    must(bucket < BUCKETS);
    const struct split_range *range = split->ranges;
    while (bucket >= range->end) // the last range ends at BUCKETS
        range++;
    return range->variant;
}

#include "base/random.h"
#include "traffic/split.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Buckets that two other implementations of XXH3 (in Rust and in WebAssembly) gave; docs/split.md shows some
// of them.
static const struct {
    const char *salt, *unit;
    uint16_t bucket;
} vectors[] = {
    {"chat", "alice", 6652},
    {"chat", "bob", 5335},
    {"chat", "user-1", 4871},
    {"chat", "10.0.0.7", 6657},
    {"chat", "\xc3\xa9", 5482},
    {"chat-v1.1", "alice", 7339},
    {"chat-v1.1", "bob", 1791},
    {"chat-v1.1", "user-1", 93},
    {"chat-v1.1", "10.0.0.7", 4588},
    {"chat-v1.1", "\xc3\xa9", 7242},
    {"search-2026", "alice", 2228},
    {"search-2026", "bob", 6756},
    {"search-2026", "user-1", 8962},
    {"search-2026", "\xc3\xa9", 3492},
    {"chat", "0123456789abcdef0123456789abcdef", 4063},
    {"search-2026", "0123456789abcdef0123456789abcdef", 586},
};

static uint16_t bucket_of(const char *salt, const char *unit) {
    return split_bucket(split_seed(slice_of(salt)), slice_of(unit));
}

static void buckets_are_fixed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(bucket_of(vectors[i].salt, vectors[i].unit), vectors[i].bucket);
    assert_int_equal(split_seed(SLICE("chat-v1.1")), 0x1ebb5493a2e0238a);
    char text[1000];
    memset(text, 'a', 200); // long units take other paths through the hash
    assert_int_equal(split_bucket(split_seed(SLICE("chat-v1.1")), slice_make(text, 200)), 6976);
    memset(text, 'b', 1000);
    assert_int_equal(split_bucket(split_seed(SLICE("chat-v1.1")), slice_make(text, 1000)), 6673);
}

// The two tables of the worked example in docs/split.md, computed and compared with the page.
static void the_worked_example_is_true(void **state) {
    (void)state;
    static const char *const names[] = {"stable", "canary", "big", "fast", "cheap"};
    static const char *const roles[] = {" (baseline)", " (1st)", " (2nd)", " (3rd)", " (4th)"};
    const uint16_t weights[] = {7000, 500, 1000, 1000, 500};
    struct split split;
    split_build(&split, weights, 5, 0);
    FILE *file = fopen(SOURCE_ROOT "/docs/split.md", "r");
    assert_non_null(file);
    static char page[32 * 1024];
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    fclose(file);
    char row[128];
    for (unsigned i = 0; i < split.range_count; i++) {
        const struct split_range *range = &split.ranges[i];
        snprintf(row, sizeof row, "| %s%s | %d | %d … %d |\n", names[range->variant], roles[range->variant],
                 weights[range->variant] / 100, range->first, range->end - 1);
        if (!strstr(page, row))
            fail_msg("docs/split.md lacks %s", row);
    }
    static const char *const units[] = {"user-1", "alice", "bob"};
    for (int i = 0; i < 3; i++) {
        uint16_t bucket = bucket_of("chat-v1.1", units[i]);
        snprintf(row, sizeof row, "| `%s` | %d | %s |\n", units[i], bucket,
                 names[split_variant(&split, bucket)]);
        if (!strstr(page, row))
            fail_msg("docs/split.md lacks %s", row);
    }
}

static void check_ranges(const struct split *split, const uint16_t *want, size_t count) {
    assert_int_equal(split->range_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(split->ranges[i].first, want[i * 3]);
        assert_int_equal(split->ranges[i].end, want[i * 3 + 1]);
        assert_int_equal(split->ranges[i].variant, want[i * 3 + 2]);
    }
}

static void candidates_stack_in_turn(void **state) {
    (void)state;
    struct split split;
    split_build(&split, (uint16_t[]){10000}, 1, 0);
    check_ranges(&split, (uint16_t[]){0, 10000, 0}, 1);
    split_build(&split, (uint16_t[]){9500, 500}, 2, 0);
    check_ranges(&split, (uint16_t[]){0, 500, 1, 500, 10000, 0}, 2);
    split_build(&split, (uint16_t[]){500, 9500}, 2, 1); // the baseline need not be the first
    check_ranges(&split, (uint16_t[]){0, 500, 0, 500, 10000, 1}, 2);
    split_build(&split, (uint16_t[]){0, 10000}, 2, 0); // everything to the candidate
    check_ranges(&split, (uint16_t[]){0, 10000, 1}, 1);
    // Candidates of baseline 2 in the file's order: 0, 1, 3, 4, 5.
    split_build(&split, (uint16_t[]){100, 200, 8500, 300, 400, 500}, 6, 2);
    check_ranges(
        &split,
        (uint16_t[]){0, 100, 0, 100, 400, 3, 400, 900, 5, 900, 9400, 2, 9400, 9800, 4, 9800, 10000, 1}, 6);
}

static void random_weights(struct random_state *random, uint16_t *weights, size_t count) {
    unsigned left = BUCKETS;
    memset(weights, 0, count * sizeof *weights);
    for (size_t i = 0; i + 1 < count; i++) { // zeros and wholes occur too
        unsigned share = random_below(random, 4) ? (unsigned)random_below(random, left + 1) : 0;
        weights[i] = (uint16_t)share;
        left -= share;
    }
    weights[count - 1] = (uint16_t)left;
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(random, i);
        uint16_t moved = weights[i - 1];
        weights[i - 1] = weights[other];
        weights[other] = moved;
    }
}

// Candidates with an even number (counted from 0) lie left of the baseline, the others right of it.
static void check_sides(const struct split *split, size_t baseline) {
    unsigned middle = 0;
    while (middle < split->range_count && split->ranges[middle].variant != baseline)
        middle++;
    for (unsigned i = 0; middle < split->range_count && i < split->range_count; i++) {
        size_t variant = split->ranges[i].variant;
        size_t number = variant < baseline ? variant : variant - 1;
        if (variant != baseline)
            assert_int_equal(i < middle, number % 2 == 0);
    }
}

static void ranges_cover_the_line(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 1);
    for (int round = 0; round < 2000; round++) {
        uint16_t weights[SPLIT_ARMS];
        size_t count = 1 + random_below(&random, SPLIT_ARMS);
        size_t baseline = random_below(&random, count);
        random_weights(&random, weights, count);
        struct split split;
        split_build(&split, weights, count, baseline);
        unsigned at = 0, width[SPLIT_ARMS] = {0};
        for (unsigned i = 0; i < split.range_count; i++) {
            const struct split_range *range = &split.ranges[i];
            assert_int_equal(range->first, at);
            assert_true(range->end > range->first);
            assert_int_equal(width[range->variant], 0); // one range each
            width[range->variant] = (unsigned)(range->end - range->first);
            assert_int_equal(split_variant(&split, range->first), range->variant);
            assert_int_equal(split_variant(&split, (uint16_t)(range->end - 1)), range->variant);
            at = range->end;
        }
        assert_int_equal(at, BUCKETS);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(width[i], weights[i]);
            assert_int_equal(split.weight[i], weights[i]);
        }
        check_sides(&split, baseline);
    }
}

static void check_only_grows(const struct split *old, const struct split *new, uint16_t variant) {
    bool grows = new->weight[variant] >= old->weight[variant];
    for (uint16_t bucket = 0; bucket < BUCKETS; bucket++) {
        bool was = split_variant(old, bucket) == variant, is = split_variant(new, bucket) == variant;
        assert_true(grows ? is || !was : was || !is);
    }
}

// Whatever the other weights do, the first and the second candidate only gain units when their weight grows
// and only lose some when it shrinks.
static void first_and_second_candidate_ramp(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 2);
    for (int round = 0; round < 300; round++) {
        size_t count = 3 + random_below(&random, 4);
        uint16_t before[SPLIT_ARMS], after[SPLIT_ARMS];
        random_weights(&random, before, count);
        random_weights(&random, after, count);
        struct split old, new;
        split_build(&old, before, count, 0);
        split_build(&new, after, count, 0);
        check_only_grows(&old, &new, 1);
        check_only_grows(&old, &new, 2);
    }
}

// With two candidates that stay in their halves nobody moves but between the baseline and a candidate that
// changed.
static void nobody_else_moves(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 4);
    for (int round = 0; round < 300; round++) {
        uint16_t first[2], second[2];
        struct split split[2];
        for (int i = 0; i < 2; i++) {
            first[i] = (uint16_t)random_below(&random, 5001);
            second[i] = (uint16_t)random_below(&random, 5001);
            uint16_t rest = (uint16_t)(BUCKETS - first[i] - second[i]);
            split_build(&split[i], (uint16_t[]){first[i], rest, second[i]}, 3, 1);
        }
        unsigned moved = 0;
        for (uint16_t bucket = 0; bucket < BUCKETS; bucket++) {
            uint16_t from = split_variant(&split[0], bucket), to = split_variant(&split[1], bucket);
            assert_true(from == to || from == 1 || to == 1);
            moved += from != to;
        }
        assert_int_equal(moved, abs(first[0] - first[1]) + abs(second[0] - second[1]));
    }
}

#define UNITS 100000
static char units[UNITS][24];

static void make_units(void) {
    struct random_state random;
    random_seed_fixed(&random, 3);
    for (int i = 0; i < UNITS; i++)
        snprintf(units[i], sizeof units[i], "user-%llx", (unsigned long long)random_next(&random));
}

static void canary_share(uint64_t seed, uint16_t weight, bool *in, unsigned *count) {
    struct split split;
    split_build(&split, (uint16_t[]){(uint16_t)(BUCKETS - weight), weight}, 2, 0);
    *count = 0;
    for (int i = 0; i < UNITS; i++) {
        in[i] = split_variant(&split, split_bucket(seed, slice_of(units[i]))) == 1;
        *count += in[i];
    }
}

static void a_hundred_thousand_users(void **state) {
    (void)state;
    make_units();
    uint64_t seed = split_seed(SLICE("chat-v1.1"));
    static bool first[UNITS], before[UNITS], now[UNITS];
    unsigned count;
    canary_share(seed, 500, first, &count);
    double sigma = sqrt(UNITS * 0.05 * 0.95);
    assert_true(fabs(count - UNITS * 0.05) < 4 * sigma);
    memcpy(before, first, sizeof first);
    const uint16_t ramp[] = {2000, 5000, 10000};
    for (int i = 0; i < 3; i++) {
        canary_share(seed, ramp[i], now, &count);
        for (int u = 0; u < UNITS; u++)
            assert_true(now[u] || !before[u]); // nobody leaves on the way up
        memcpy(before, now, sizeof now);
    }
    assert_int_equal(count, UNITS);
    canary_share(seed, 500, now, &count);
    assert_memory_equal(now, first, sizeof now); // exactly the newcomers leave
}

// Two salts, a fifth each: membership in the one says nothing about the other (chi-square of the 2x2 table,
// one degree of freedom, 0.1 % point 10.83); and the buckets are even (99 degrees of freedom, 0.1 %
// points 59.0 and 148.2).
static void salts_are_independent(void **state) {
    (void)state;
    make_units();
    static bool a[UNITS], b[UNITS];
    unsigned count_a, count_b, both = 0;
    canary_share(split_seed(SLICE("chat-v1.1")), 2000, a, &count_a);
    canary_share(split_seed(SLICE("chat-v1.2")), 2000, b, &count_b);
    for (int i = 0; i < UNITS; i++)
        both += a[i] && b[i];
    double n = UNITS, determinant = (double)both * n - (double)count_a * count_b;
    double chi = n * determinant * determinant / ((double)count_a * count_b * (n - count_a) * (n - count_b));
    assert_true(chi < 10.83);

    unsigned cells[100] = {0};
    uint64_t seed = split_seed(SLICE("chat-v1.1"));
    for (int i = 0; i < UNITS; i++)
        cells[split_bucket(seed, slice_of(units[i])) / 100]++;
    double even = 0;
    for (int i = 0; i < 100; i++)
        even += (cells[i] - UNITS / 100.0) * (cells[i] - UNITS / 100.0) / (UNITS / 100.0);
    assert_true(even > 59.0 && even < 148.2);
}

int test_split(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_fixed),
        cmocka_unit_test(the_worked_example_is_true),
        cmocka_unit_test(candidates_stack_in_turn),
        cmocka_unit_test(ranges_cover_the_line),
        cmocka_unit_test(first_and_second_candidate_ramp),
        cmocka_unit_test(nobody_else_moves),
        cmocka_unit_test(a_hundred_thousand_users),
        cmocka_unit_test(salts_are_independent),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}

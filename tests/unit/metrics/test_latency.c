#include "base/mem.h"
#include "base/random.h"
#include "metrics/variant.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// The definition, without a table: the first bound at or above the value.
static unsigned expected_bucket(uint64_t us) {
    unsigned i = 0;
    while (i < LATENCY_BOUNDS && us > (uint64_t)llround(latency_bounds[i] * 1e6))
        i++;
    return i;
}

static void check(struct latency *latency, uint64_t us) {
    memset(latency, 0, sizeof *latency);
    latency_add(latency, us);
    for (unsigned i = 0; i <= LATENCY_BOUNDS; i++)
        assert_int_equal(latency->spread.coarse[i], i == expected_bucket(us));
    assert_int_equal(latency->fine.count[histogram_bucket(us)], 1);
    assert_int_equal(latency->spread.sum_us, us);
}

static void bounds_rise(void **state) {
    (void)state;
    assert_true(latency_bounds[0] == 0.001);
    assert_true(latency_bounds[LATENCY_BOUNDS - 1] == 120);
    for (int i = 1; i < LATENCY_BOUNDS; i++)
        assert_true(latency_bounds[i] > latency_bounds[i - 1]);
}

static void a_bound_belongs_to_its_bucket(void **state) {
    (void)state;
    struct latency *latency = mem_zero(1, sizeof *latency);
    for (int i = 0; i < LATENCY_BOUNDS; i++) {
        uint64_t us = (uint64_t)llround(latency_bounds[i] * 1e6);
        check(latency, us - 1);
        check(latency, us);
        check(latency, us + 1);
    }
    check(latency, 0);
    check(latency, 1);
    check(latency, UINT32_MAX);
    check(latency, (uint64_t)UINT32_MAX + 1);
    check(latency, UINT64_MAX);
    mem_free(latency);
}

// Both ends of every fine bucket, where a wrong entry of the table would show.
static void exact_at_every_fine_edge(void **state) {
    (void)state;
    struct latency *latency = mem_zero(1, sizeof *latency);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t us = (uint64_t)histogram_lower(i);
        check(latency, us);
        check(latency, us + 1);
        check(latency, us ? us - 1 : 0);
    }
    mem_free(latency);
}

static void sums_and_counts_add_up(void **state) {
    (void)state;
    struct latency *latency = mem_zero(1, sizeof *latency);
    struct random_state random;
    random_seed_fixed(&random, 7);
    uint64_t sum = 0, want[LATENCY_BOUNDS + 1] = {0};
    for (int i = 0; i < 20000; i++) {
        uint64_t us = random_next(&random) >> (20 + random_below(&random, 43));
        latency_add(latency, us);
        sum += us;
        want[expected_bucket(us)]++;
    }
    assert_int_equal(latency->spread.sum_us, sum);
    assert_memory_equal(latency->spread.coarse, want, sizeof want);
    uint64_t fine = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        fine += latency->fine.count[i];
    assert_int_equal(fine, 20000);
    mem_free(latency);
}

int test_latency(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_rise),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(exact_at_every_fine_edge),
        cmocka_unit_test(sums_and_counts_add_up),
    };
    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}

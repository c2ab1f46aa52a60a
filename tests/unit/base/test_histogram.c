#include "base/histogram.h"
#include "unit.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

// The definition again, with nothing shared but the question: is v^32 >= 2^i, in long arithmetic of 32-bit
// digits.
static bool reaches(uint64_t value, unsigned bucket) {
    uint32_t power[34] = {1};
    for (int times = 0; times < 32; times++) {
        uint64_t carry = 0;
        for (int i = 0; i < 34; i++) {
            unsigned __int128 product = (unsigned __int128)power[i] * value + carry;
            power[i] = (uint32_t)product;
            carry = (uint64_t)(product >> 32);
        }
        assert_int_equal(carry, 0);
    }
    for (unsigned i = bucket / 32 + 1; i < 34; i++)
        if (power[i])
            return true;
    return power[bucket / 32] >> bucket % 32 != 0;
}

static void assert_exact(uint64_t value) {
    unsigned bucket = histogram_bucket(value);
    assert_true(bucket < HISTOGRAM_BUCKETS - 1);
    assert_true(reaches(value, bucket));
    assert_false(reaches(value, bucket + 1));
}

static void exact_at_every_boundary(void **state) {
    (void)state;
    for (uint64_t value = 1; value < 3000; value++)
        assert_exact(value);
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
        uint64_t near = (uint64_t)histogram_lower(i);
        for (uint64_t value = near > 3 ? near - 2 : 1; value < near + 3 && value >> 32 == 0; value++)
            assert_exact(value);
    }
    assert_exact(UINT32_MAX);
}

static void the_ends(void **state) {
    (void)state;
    assert_int_equal(histogram_bucket(0), 0);
    assert_int_equal(histogram_bucket(1), 0);
    assert_int_equal(histogram_bucket(2), 32);
    assert_int_equal(histogram_bucket(1024), 320);
    assert_int_equal(histogram_bucket(1ull << 32), HISTOGRAM_BUCKETS - 1);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
    assert_true(fabs(histogram_lower(0) - 1) < 1e-12);
    assert_true(fabs(histogram_lower(64) - 4) < 1e-12);
    assert_true(fabs(histogram_lower(HISTOGRAM_BUCKETS - 1) - 4294967296.0) < 1e-3);
}

static struct histogram a, b;

static void quantiles(void **state) {
    (void)state;
    memset(&a, 0, sizeof a);
    assert_true(histogram_quantile(&a, 0.5) == 0);
    for (uint64_t v = 1; v <= 100000; v++)
        histogram_add(&a, v);
    const double shares[] = {0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double got = histogram_quantile(&a, shares[i]), want = shares[i] * 100000;
        assert_true(fabs(got - want) < want * 0.023);
    }
    assert_true(histogram_quantile(&a, -1) >= 1);
    assert_true(histogram_quantile(&a, 2) <= 100000 * 1.023);
    memset(&b, 0, sizeof b);
    histogram_add(&b, UINT64_MAX); // in the open bucket: its lower bound
    assert_true(fabs(histogram_quantile(&b, 0.5) - 4294967296.0) < 1e-3);
}

static void merges(void **state) {
    (void)state;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    histogram_add(&a, 5);
    histogram_add(&b, 5);
    histogram_add(&b, 500);
    histogram_merge(&a, &b);
    assert_int_equal(a.count[histogram_bucket(5)], 2);
    assert_int_equal(a.count[histogram_bucket(500)], 1);
    assert_int_equal(b.count[histogram_bucket(5)], 1);
}

int test_histogram(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_at_every_boundary),
        cmocka_unit_test(the_ends),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(merges),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}

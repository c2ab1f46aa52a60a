#include "base/clock.h"
#include "sample.h"
#include "unit.h"
#include "upstream/back_off.h"

#define S UINT64_C(1000000000)

static void doubles_in_a_row_up_to_the_most(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, BALANCE_ROUND_ROBIN);
    struct endpoint *endpoint = sample_endpoint(&sample, 0);
    uint64_t now = 1000 * S;
    static const int64_t steps[] = {1000, 2000, 4000, 8000, 10000, 10000, 10000};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_int_equal(back_off_begin(endpoint, -1, 10000, now), steps[i]);
        assert_int_equal(back_off_left(endpoint, now), steps[i]);
        assert_int_equal(back_off_left(endpoint, now + 1), steps[i]); // rounded up: never 0 too early
        // What else comes back meanwhile is no repetition.
        assert_int_equal(back_off_begin(endpoint, -1, 10000, now + S / 2), 0);
        now += (uint64_t)steps[i] * NS_PER_MS;
        assert_int_equal(back_off_left(endpoint, now), 0);
    }
    back_off_end(endpoint); // it took a request: the next is the first
    assert_int_equal(back_off_begin(endpoint, -1, 10000, now), 1000);
    for (unsigned i = 0; i < 100; i++) // no shift past what a number holds
        back_off_begin(endpoint, -1, INT64_C(1) << 60, now += 10000000 * S);
    assert_int_equal(back_off_left(endpoint, now), INT64_C(1000) << 20);
    assert_int_equal(back_off_begin(endpoint, -1, 300, now += 10000000 * S),
                     300); // shorter than the first usual one
    sample_free(&sample);
}

static void as_long_as_it_asks_for(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, BALANCE_ROUND_ROBIN);
    struct endpoint *endpoint = sample_endpoint(&sample, 0);
    uint64_t now = 1000 * S;
    assert_int_equal(back_off_begin(endpoint, 0, 10000, now), 0); // "come at once"
    assert_int_equal(back_off_left(endpoint, now), 0);
    assert_int_equal(back_off_begin(endpoint, 3000, 10000, now), 3000);
    assert_int_equal(back_off_begin(endpoint, 2000, 10000, now), 0); // the longest of several words
    assert_int_equal(back_off_left(endpoint, now), 3000);
    assert_int_equal(back_off_begin(endpoint, 5000, 10000, now), 0); // longer, but not anew
    assert_int_equal(back_off_left(endpoint, now), 5000);
    assert_int_equal(back_off_begin(endpoint, 60000, 10000, now), 0);
    assert_int_equal(back_off_left(endpoint, now), 10000);
    sample_free(&sample);
}

static void it_holds_until_then_and_is_forgotten(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 1, BALANCE_ROUND_ROBIN);
    struct endpoint *endpoint = sample_endpoint(&sample, 0);
    uint64_t now = clock_monotonic_ns();
    assert_false(back_off_holds(endpoint));
    back_off_begin(endpoint, 3600000, 86400000, now);
    assert_true(back_off_holds(endpoint));
    back_off_end(endpoint); // an answer to a request from before
    assert_int_equal(atomic_load(&endpoint->refusals), 1);
    atomic_store(&endpoint->spared_until_ns, now); // the hour is over
    assert_false(back_off_holds(endpoint));
    assert_int_equal(atomic_load(&endpoint->spared_until_ns), 0); // so that nobody asks the clock any more
    back_off_end(endpoint);
    assert_int_equal(atomic_load(&endpoint->refusals), 0);
    sample_free(&sample);
}

int test_back_off(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_in_a_row_up_to_the_most),
        cmocka_unit_test(as_long_as_it_asks_for),
        cmocka_unit_test(it_holds_until_then_and_is_forgotten),
    };
    return cmocka_run_group_tests_name("back_off", tests, NULL, NULL);
}

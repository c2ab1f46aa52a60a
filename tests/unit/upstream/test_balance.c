#include "base/clock.h"
#include "sample.h"
#include "unit.h"
#include "upstream/back_off.h"

#define TURNS 40000

// Sends TURNS requests of which at most `open` are in flight; counts by endpoint.
static void run(struct sample *sample, unsigned counts[SAMPLE_MOST], unsigned open, bool by_unit) {
    struct endpoint *flying[SAMPLE_MOST] = {0};
    memset(counts, 0, SAMPLE_MOST * sizeof *counts);
    for (unsigned i = 0; i < TURNS; i++) {
        struct endpoint *chosen;
        uint64_t unit = by_unit ? i % 1000 : 0;
        assert_int_equal(pool_choose(sample->view, 0, &sample->random, unit, NULL, &chosen), CHOICE_MADE);
        for (size_t k = 0; k < sample->view->endpoint_count; k++)
            if (sample->view->endpoints[k] == chosen)
                counts[k]++;
        if (flying[i % open])
            endpoint_leave(flying[i % open]);
        flying[i % open] = chosen;
    }
    for (unsigned i = 0; i < open; i++)
        if (flying[i])
            endpoint_leave(flying[i]);
}

static void assert_near(double got, double wanted, double share) {
    if (got < wanted * (1 - share) || got > wanted * (1 + share))
        fail_msg("%.0f is not within %.0f %% of %.0f", got, share * 100, wanted);
}

static void round_robin_takes_turns(void **state) {
    (void)state;
    struct sample sample;
    unsigned counts[SAMPLE_MOST];
    sample_init(&sample, 5, BALANCE_ROUND_ROBIN);
    run(&sample, counts, 3, false);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(counts[i], TURNS / 5);
    sample_free(&sample);
}

static void round_robin_keeps_weights_exactly_and_interleaves(void **state) {
    (void)state;
    struct sample sample;
    unsigned counts[SAMPLE_MOST];
    sample_init(&sample, 3, BALANCE_ROUND_ROBIN);
    sample.endpoints[0].weight = 5;
    sample.endpoints[1].weight = 2;
    sample_apply(&sample);
    run(&sample, counts, 3, false);
    assert_int_equal(counts[0], TURNS / 8 * 5);
    assert_int_equal(counts[1], TURNS / 8 * 2);
    assert_int_equal(counts[2], TURNS / 8);
    unsigned in_a_row = 0, most = 0;
    for (size_t i = 0; i < sample.view->schedule_count; i++) {
        in_a_row = sample.view->schedule[i] == 0 ? in_a_row + 1 : 0;
        most = in_a_row > most ? in_a_row : most;
    }
    assert_true(most <= 2);
    sample_free(&sample);
}

static void least_inflight_spreads_and_respects_weights(void **state) {
    (void)state;
    struct sample sample;
    unsigned counts[SAMPLE_MOST];
    sample_init(&sample, 4, BALANCE_LEAST_INFLIGHT);
    run(&sample, counts, 40, false);
    for (size_t i = 0; i < 4; i++)
        assert_near(counts[i], TURNS / 4.0, 0.1);
    sample.endpoints[0].weight = 3;
    sample_apply(&sample);
    run(&sample, counts, 60, false);
    assert_near(counts[0], TURNS / 2.0, 0.15);
    sample_free(&sample);
}

static void least_inflight_avoids_the_slow_one(void **state) {
    (void)state;
    struct sample sample;
    struct endpoint *chosen;
    unsigned slow = 0;
    sample_init(&sample, 2, BALANCE_LEAST_INFLIGHT);
    for (int i = 0; i < 10; i++)
        assert_true(endpoint_enter(sample_endpoint(&sample, 0), 0));
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 0, NULL, &chosen), CHOICE_MADE);
        slow += chosen == sample_endpoint(&sample, 0);
        endpoint_leave(chosen);
    }
    assert_int_equal(slow, 0); // the two choices are never the same endpoint
    for (int i = 0; i < 10; i++)
        endpoint_leave(sample_endpoint(&sample, 0));
    sample_free(&sample);
}

static void unit_hash_moves_only_the_units_of_a_lost_endpoint(void **state) {
    (void)state;
    struct sample sample;
    struct endpoint *before[2000], *after;
    sample_init(&sample, 10, BALANCE_UNIT_HASH);
    unsigned counts[SAMPLE_MOST];
    run(&sample, counts, 1, true);
    for (size_t i = 0; i < 10; i++)
        assert_in_range(counts[i], TURNS / 10 / 3, TURNS / 10 * 2);
    for (uint64_t unit = 0; unit < 2000; unit++) {
        pool_choose(sample.view, 0, &sample.random, unit, NULL, &before[unit]);
        endpoint_leave(before[unit]);
    }
    struct endpoint *lost = sample_endpoint(&sample, 3);
    atomic_store(&lost->states, ENDPOINT_UNHEALTHY);
    sample_apply(&sample);
    for (uint64_t unit = 0; unit < 2000; unit++) {
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, unit, NULL, &after), CHOICE_MADE);
        endpoint_leave(after);
        if (before[unit] == lost)
            assert_ptr_not_equal(after, lost);
        else
            assert_ptr_equal(after, before[unit]);
    }
    sample_free(&sample);
}

static void a_full_endpoint_is_passed_over_until_all_are_full(void **state) {
    (void)state;
    for (enum balance balance = BALANCE_LEAST_INFLIGHT; balance <= BALANCE_UNIT_HASH; balance++) {
        struct sample sample;
        struct endpoint *chosen;
        sample_init(&sample, 7, balance);
        sample.pool.max_inflight = 3;
        for (int i = 0; i < 21; i++)
            assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_MADE);
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_FULL);
        for (size_t i = 0; i < 7; i++)
            for (int k = 0; k < 3; k++)
                endpoint_leave(sample_endpoint(&sample, i));
        sample_free(&sample);
    }
}

static void the_failed_one_is_avoided_when_there_is_another(void **state) {
    (void)state;
    for (enum balance balance = BALANCE_LEAST_INFLIGHT; balance <= BALANCE_UNIT_HASH; balance++) {
        struct sample sample;
        struct endpoint *chosen;
        sample_init(&sample, 2, balance);
        struct endpoint *failed = sample_endpoint(&sample, 0);
        for (uint64_t unit = 0; unit < 100; unit++) {
            assert_int_equal(pool_choose(sample.view, 0, &sample.random, unit, failed, &chosen), CHOICE_MADE);
            assert_ptr_not_equal(chosen, failed);
            endpoint_leave(chosen);
        }
        atomic_store(&sample_endpoint(&sample, 1)->states, ENDPOINT_DRAINED);
        sample_apply(&sample);
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 1, failed, &chosen), CHOICE_MADE);
        assert_ptr_equal(chosen, failed);
        endpoint_leave(chosen);
        atomic_store(&failed->states, ENDPOINT_EJECTED);
        sample_apply(&sample);
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 1, NULL, &chosen), CHOICE_NONE);
        sample_free(&sample);
    }
}

static void spare(struct sample *sample, size_t index) {
    back_off_begin(sample_endpoint(sample, index), 3600000, 86400000, clock_monotonic_ns());
}

static void one_that_asked_for_time_is_spared(void **state) {
    (void)state;
    for (enum balance balance = BALANCE_LEAST_INFLIGHT; balance <= BALANCE_UNIT_HASH; balance++) {
        struct sample sample;
        unsigned counts[SAMPLE_MOST];
        sample_init(&sample, 4, balance);
        sample.pool.back_off = 10000;
        spare(&sample, 1);
        run(&sample, counts, 12, true);
        assert_int_equal(counts[1], 0);
        for (size_t i = 0; i < 4 && balance != BALANCE_UNIT_HASH; i++) // the others share its part evenly
            if (i != 1)
                assert_near(counts[i], TURNS / 3.0, 0.1);
        atomic_store(&sample_endpoint(&sample, 1)->spared_until_ns, 1); // long ago
        run(&sample, counts, 12, true);
        assert_true(counts[1] > TURNS / 20);
        spare(&sample, 1);
        sample.pool.back_off = DURATION_OFF; // a reload has switched it off
        run(&sample, counts, 12, true);
        assert_true(counts[1] > TURNS / 20);
        sample_free(&sample);
    }
}

static void round_robin_stays_exact_beside_a_spared_one(void **state) {
    (void)state;
    struct sample sample;
    unsigned counts[SAMPLE_MOST];
    sample_init(&sample, 5, BALANCE_ROUND_ROBIN);
    sample.pool.back_off = 10000;
    spare(&sample, 0);
    spare(&sample, 4);
    run(&sample, counts, 1, false);
    assert_int_equal(counts[0] + counts[4], 0);
    for (size_t i = 1; i < 4; i++)
        assert_in_range(counts[i], TURNS / 3, TURNS / 3 + 1);
    sample_free(&sample);
}

static void when_all_asked_for_time_it_is_as_if_none_had(void **state) {
    (void)state;
    for (enum balance balance = BALANCE_LEAST_INFLIGHT; balance <= BALANCE_UNIT_HASH; balance++) {
        struct sample sample;
        struct endpoint *chosen;
        unsigned counts[SAMPLE_MOST];
        sample_init(&sample, 3, balance);
        sample.pool.back_off = 10000;
        for (size_t i = 0; i < 3; i++)
            spare(&sample, i);
        run(&sample, counts, 9, true);
        for (size_t i = 0; i < 3; i++)
            assert_in_range(counts[i], TURNS / 9, TURNS * 2 / 3);
        // A retry still goes to another one first.
        for (uint64_t unit = 0; unit < 50; unit++) {
            assert_int_equal(
                pool_choose(sample.view, 0, &sample.random, unit, sample_endpoint(&sample, 2), &chosen),
                CHOICE_MADE);
            assert_ptr_not_equal(chosen, sample_endpoint(&sample, 2));
            endpoint_leave(chosen);
        }
        sample_free(&sample);
    }
}

static void a_spared_one_is_better_than_a_full_one(void **state) {
    (void)state;
    for (enum balance balance = BALANCE_LEAST_INFLIGHT; balance <= BALANCE_UNIT_HASH; balance++) {
        struct sample sample;
        struct endpoint *chosen;
        sample_init(&sample, 2, balance);
        sample.pool.back_off = 10000;
        sample.pool.max_inflight = 2;
        spare(&sample, 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_MADE);
            assert_ptr_equal(chosen, sample_endpoint(&sample, 1));
        }
        for (int i = 0; i < 2; i++) { // never a refusal of our own
            assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_MADE);
            assert_ptr_equal(chosen, sample_endpoint(&sample, 0));
        }
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_FULL);
        for (size_t i = 0; i < 2; i++)
            for (int k = 0; k < 2; k++)
                endpoint_leave(sample_endpoint(&sample, i));
        // The only one that is ready is asked whatever it said.
        atomic_store(&sample_endpoint(&sample, 1)->states, ENDPOINT_UNHEALTHY);
        sample_apply(&sample);
        assert_int_equal(pool_choose(sample.view, 0, &sample.random, 7, NULL, &chosen), CHOICE_MADE);
        assert_ptr_equal(chosen, sample_endpoint(&sample, 0));
        endpoint_leave(chosen);
        sample_free(&sample);
    }
}

int test_balance(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_takes_turns),
        cmocka_unit_test(round_robin_keeps_weights_exactly_and_interleaves),
        cmocka_unit_test(least_inflight_spreads_and_respects_weights),
        cmocka_unit_test(least_inflight_avoids_the_slow_one),
        cmocka_unit_test(unit_hash_moves_only_the_units_of_a_lost_endpoint),
        cmocka_unit_test(a_full_endpoint_is_passed_over_until_all_are_full),
        cmocka_unit_test(the_failed_one_is_avoided_when_there_is_another),
        cmocka_unit_test(one_that_asked_for_time_is_spared),
        cmocka_unit_test(round_robin_stays_exact_beside_a_spared_one),
        cmocka_unit_test(when_all_asked_for_time_it_is_as_if_none_had),
        cmocka_unit_test(a_spared_one_is_better_than_a_full_one),
    };
    return cmocka_run_group_tests_name("balance", tests, NULL, NULL);
}

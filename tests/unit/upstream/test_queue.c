#include "sample.h"
#include "unit.h"

static void first_come_first_served_and_bounded(void **state) {
    (void)state;
    struct sample sample;
    struct waiter waiters[6] = {0};
    sample_init(&sample, 1, BALANCE_ROUND_ROBIN);
    struct pool *pool = directory_pool(sample.directory, 0);
    for (int i = 0; i < 4; i++)
        assert_true(pool_wait(sample.view, 0, &waiters[i]));
    assert_false(pool_wait(sample.view, 0, &waiters[4]));
    pool_unwait(&waiters[1], 0);
    pool_unwait(&waiters[1], 0); // twice does no harm
    assert_true(pool_wait(sample.view, 0, &waiters[5]));
    assert_ptr_equal(pool_waiter(pool, 0), &waiters[0]);
    pool_unwait(&waiters[0], 0);
    assert_ptr_equal(pool_waiter(pool, 0), &waiters[2]);
    pool_unwait(&waiters[2], 0);
    pool_unwait(&waiters[3], 0);
    assert_ptr_equal(pool_waiter(pool, 0), &waiters[5]);
    pool_unwait(&waiters[5], 0);
    assert_null(pool_waiter(pool, 0));
    assert_int_equal(atomic_load(&pool->waiting), 0);
    sample_free(&sample);
}

static void the_lane_that_waits_longest_is_served(void **state) {
    (void)state;
    struct pool_lane lanes[3] = {0};
    struct pool pool = {.lane_count = 3, .lanes = lanes};
    struct pool_config config = {.queue = {.size = 10}};
    struct pool_view view = {.pool = &pool, .config = &config};
    struct waiter waiters[3] = {0};
    for (int i = 0; i < 3; i++)
        list_init(&lanes[i].waiters);
    assert_int_equal(pool_lane_to_serve(&pool), -1);
    assert_true(pool_wait(&view, 2, &waiters[0]));
    assert_int_equal(pool_lane_to_serve(&pool), 2);
    assert_true(pool_wait(&view, 0, &waiters[1]));
    assert_true(pool_wait(&view, 2, &waiters[2]));
    assert_int_equal(pool_lane_to_serve(&pool), 2);
    pool_unwait(&waiters[0], 2);
    assert_int_equal(pool_lane_to_serve(&pool), 0);
    pool_unwait(&waiters[1], 0);
    assert_int_equal(pool_lane_to_serve(&pool), 2);
    pool_unwait(&waiters[2], 2);
    assert_int_equal(pool_lane_to_serve(&pool), -1);
}

int test_queue(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_come_first_served_and_bounded),
        cmocka_unit_test(the_lane_that_waits_longest_is_served),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}

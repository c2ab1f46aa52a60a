#include "sample.h"
#include "unit.h"

static void what_stays_is_adopted_with_its_state(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 3, BALANCE_ROUND_ROBIN);
    struct endpoint *first = sample_endpoint(&sample, 0);
    struct pool *pool = directory_pool(sample.directory, 0);
    atomic_store(&first->states, ENDPOINT_DRAINED);
    sample.pool.endpoint_count = 2;
    sample_apply(&sample);
    assert_ptr_equal(sample_endpoint(&sample, 0), first);
    assert_ptr_equal(directory_find(sample.directory, "blue"), pool);
    assert_int_equal(sample.view->ready_count, 1);
    assert_false(atomic_load(&first->retired));
    sample_free(&sample);
}

static void what_goes_is_retired_and_freed_by_its_last_user(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 3, BALANCE_ROUND_ROBIN);
    struct endpoint *third = endpoint_ref(sample_endpoint(&sample, 2));
    sample.pool.endpoint_count = 2;
    sample_apply(&sample);
    assert_true(atomic_load(&third->retired));
    assert_null(pool_endpoint(directory_pool(sample.directory, 0), sample.urls[2]));
    endpoint_unref(third); // the address sanitizer tells when this was not the last
    sample_free(&sample);
}

static void a_changed_weight_keeps_what_people_said(void **state) {
    (void)state;
    struct sample sample;
    sample_init(&sample, 2, BALANCE_ROUND_ROBIN);
    struct endpoint *old = endpoint_ref(sample_endpoint(&sample, 1));
    atomic_store(&old->states, ENDPOINT_DRAINED);
    sample.endpoints[1].weight = 4;
    sample_apply(&sample);
    struct endpoint *new = sample_endpoint(&sample, 1);
    assert_ptr_not_equal(new, old);
    assert_int_equal(new->weight, 4);
    assert_int_equal(atomic_load(&new->states), ENDPOINT_DRAINED);
    assert_true(atomic_load(&old->retired));
    endpoint_unref(old);
    sample_free(&sample);
}

static void an_abandoned_change_changes_nothing(void **state) {
    (void)state;
    struct sample sample;
    struct error error;
    sample_init(&sample, 2, BALANCE_ROUND_ROBIN);
    struct endpoint *first = sample_endpoint(&sample, 0);
    sample.pool.endpoint_count = 1;
    struct directory_change *change = directory_prepare(sample.directory, &sample.config, NULL, NULL, &error);
    directory_abandon(change);
    assert_int_equal(directory_pool(sample.directory, 0)->endpoint_count, 2);
    assert_ptr_equal(sample_endpoint(&sample, 0), first);
    assert_false(atomic_load(&sample_endpoint(&sample, 1)->retired));
    sample_free(&sample);
}

static void a_name_that_does_not_resolve_is_an_error(void **state) {
    (void)state;
    struct sample sample;
    struct error error = {0};
    sample_init(&sample, 2, BALANCE_ROUND_ROBIN);
    sample.endpoints[1].host = "no-such-host.invalid";
    sample.endpoints[1].url = "http://no-such-host.invalid:9001";
    assert_null(directory_prepare(sample.directory, &sample.config, NULL, NULL, &error));
    assert_non_null(strstr(error.text, "no-such-host.invalid"));
    sample_free(&sample);
}

int test_directory(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_is_adopted_with_its_state),
        cmocka_unit_test(what_goes_is_retired_and_freed_by_its_last_user),
        cmocka_unit_test(a_changed_weight_keeps_what_people_said),
        cmocka_unit_test(an_abandoned_change_changes_nothing),
        cmocka_unit_test(a_name_that_does_not_resolve_is_an_error),
    };
    return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}

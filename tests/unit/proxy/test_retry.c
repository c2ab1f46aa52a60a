#include "proxy/retry.h"
#include "unit.h"

static void covers_what_the_route_names(void **state) {
    (void)state;
    uint16_t codes[] = {502, 503};
    struct retry_config retry = {.conditions = RETRY_CONNECT, .codes = codes, .code_count = 2};
    assert_true(
        retry_covers(&retry, &(struct failure){RETRY_CONNECT, 504, ERROR_REASON_CONNECT_TIMEOUT, false}));
    assert_true(retry_covers(&retry, &(struct failure){0, 503, ERROR_REASON_5XX, false}));
    assert_false(retry_covers(&retry, &(struct failure){0, 504, ERROR_REASON_TIMEOUT, false}));
    assert_false(retry_covers(&retry, &(struct failure){0, 500, ERROR_REASON_5XX, false}));
    // A reset stands for a 502 too: who names 502 wants another try after it.
    assert_true(
        retry_covers(&retry, &(struct failure){RETRY_RESET_BEFORE_RESPONSE, 502, ERROR_REASON_RESET, false}));
    retry.code_count = 0;
    assert_false(
        retry_covers(&retry, &(struct failure){RETRY_RESET_BEFORE_RESPONSE, 502, ERROR_REASON_RESET, false}));
}

static void a_route_without_retry_covers_only_connecting(void **state) {
    (void)state;
    assert_true(retry_covers(NULL, &(struct failure){RETRY_CONNECT, 502, ERROR_REASON_CONNECT, false}));
    assert_false(
        retry_covers(NULL, &(struct failure){RETRY_RESET_BEFORE_RESPONSE, 502, ERROR_REASON_RESET, false}));
    assert_false(retry_covers(NULL, &(struct failure){0, 503, ERROR_REASON_5XX, false}));
}

static void the_budget_bounds_retries_to_a_share_of_requests(void **state) {
    (void)state;
    struct budget *budget = budget_new(2, 20);
    unsigned spent = 0;
    while (budget_spend(budget, 0))
        spent++;
    assert_int_equal(spent, RETRY_SAVED_AT_START);
    for (int i = 0; i < 1000; i++) {
        budget_earn(budget, 0, 20);
        spent += budget_spend(budget, 0);
    }
    assert_int_equal(spent, RETRY_SAVED_AT_START + 200);
    for (int i = 0; i < 100000; i++)
        budget_earn(budget, 0, 20);
    for (spent = 0; budget_spend(budget, 0);)
        spent++;
    assert_int_equal(spent, RETRY_SAVED);
    assert_true(budget_spend(budget, 1)); // the other worker's is untouched
    budget_free(budget);
}

static void a_budget_of_nothing_is_nothing(void **state) {
    (void)state;
    struct budget *budget = budget_new(1, 0);
    for (int i = 0; i < 1000; i++) {
        budget_earn(budget, 0, 0);
        assert_false(budget_spend(budget, 0));
    }
    budget_free(budget);
}

static void only_idempotent_methods_are_repeated_unasked(void **state) {
    (void)state;
    assert_true(method_idempotent(SLICE("GET")));
    assert_true(method_idempotent(SLICE("DELETE")));
    assert_false(method_idempotent(SLICE("POST")));
    assert_false(method_idempotent(SLICE("PATCH")));
    assert_false(method_idempotent(SLICE("get"))); // methods are case-sensitive
}

int test_retry(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covers_what_the_route_names),
        cmocka_unit_test(a_route_without_retry_covers_only_connecting),
        cmocka_unit_test(the_budget_bounds_retries_to_a_share_of_requests),
        cmocka_unit_test(a_budget_of_nothing_is_nothing),
        cmocka_unit_test(only_idempotent_methods_are_repeated_unasked),
    };
    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}

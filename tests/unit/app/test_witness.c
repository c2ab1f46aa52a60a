#include "../../../src/app/demo/witness.h"
#include "base/clock.h"
#include "unit.h"

#define BEGIN (1000 * NS_PER_S)

static void visit(struct witness *witness, const char *variant, unsigned user, bool good) {
    const struct witness_visit one = {
        .variant = variant, .user = user, .good = good, .status = good ? 200 : 500, .duration_us = 50000};
    witness_add(witness, &one);
}

static struct witness_figures read(const struct witness *witness, const char *name, bool total,
                                   uint64_t now) {
    struct witness_figures figures;
    int index = witness_find(witness, name);
    assert_true(index >= 0);
    witness_read(witness, index, total, now, &figures);
    return figures;
}

static void shares_and_rates_are_of_full_seconds(void **state) {
    struct witness *witness = witness_new(100, BEGIN);
    (void)state;
    for (unsigned second = 0; second < 3; second++) {
        witness_advance(witness, BEGIN + second * NS_PER_S);
        for (unsigned i = 0; i < 100; i++)
            visit(witness, i < 90 ? "stable" : "canary", i, true);
    }
    struct witness_figures stable = read(witness, "stable", false, BEGIN + 2 * NS_PER_S);
    assert_int_equal(stable.requests, 180); // the third second is not over
    assert_true(stable.per_second > 89.9 && stable.per_second < 90.1);
    assert_true(stable.requests_share > 0.899 && stable.requests_share < 0.901);
    assert_true(stable.p50_ms > 48 && stable.p50_ms < 52);
    assert_true(stable.first_byte_ms == 0);
    struct witness_figures canary = read(witness, "canary", true, BEGIN + 3 * NS_PER_S);
    assert_int_equal(canary.requests, 30);
    assert_true(canary.per_second > 9.9 && canary.per_second < 10.1);
    assert_true(canary.users_share > 0.099 && canary.users_share < 0.101);
    witness_free(witness);
}

static void the_window_forgets(void **state) {
    struct witness *witness = witness_new(1, BEGIN);
    (void)state;
    visit(witness, "stable", 0, true);
    witness_advance(witness, BEGIN + (WITNESS_SLOTS - 1) * NS_PER_S);
    assert_int_equal(read(witness, "stable", false, 0).requests, 1);
    witness_advance(witness, BEGIN + WITNESS_SLOTS * NS_PER_S);
    assert_int_equal(read(witness, "stable", false, 0).requests, 0);
    visit(witness, "stable", 0, true);
    witness_advance(witness, BEGIN + 1000 * NS_PER_S); // a pause longer than the window
    assert_int_equal(read(witness, "stable", false, 0).requests, 0);
    assert_int_equal(read(witness, "stable", true, BEGIN + 1000 * NS_PER_S).requests, 2);
    witness_free(witness);
}

static void users_are_counted_where_they_were_last(void **state) {
    struct witness *witness = witness_new(3, BEGIN);
    (void)state;
    for (unsigned user = 0; user < 3; user++)
        visit(witness, "stable", user, true);
    visit(witness, "stable", 0, true);
    assert_int_equal(witness->users_seen, 3);
    assert_int_equal(witness->users_moved, 0);
    visit(witness, "canary", 2, false); // an error page moves nobody
    assert_int_equal(witness->users_moved, 0);
    visit(witness, "canary", 2, true);
    assert_int_equal(witness->users_moved, 1);
    assert_int_equal(witness->variants[witness_find(witness, "stable")].users, 2);
    assert_int_equal(witness->variants[witness_find(witness, "canary")].users, 1);
    witness_free(witness);
}

static void only_unexpected_errors_are_failures(void **state) {
    struct witness *witness = witness_new(1, BEGIN);
    const struct witness_visit meant = {.variant = "canary", .status = 500, .expected = true};
    (void)state;
    witness_add(witness, &meant);
    assert_int_equal(witness->failures, 0);
    visit(witness, NULL, 0, false);
    assert_int_equal(witness->failures, 1);
    assert_int_equal(read(witness, "canary", true, BEGIN + NS_PER_S).errors, 1);
    assert_int_equal(read(witness, "", true, BEGIN + NS_PER_S).errors, 1);
    witness_free(witness);
}

static void there_may_be_more_variants_than_places(void **state) {
    struct witness *witness = witness_new(1, BEGIN);
    char name[] = "a";
    (void)state;
    for (int i = 0; i < WITNESS_VARIANTS + 3; i++, name[0]++)
        visit(witness, name, 0, true);
    assert_int_equal(witness->count, WITNESS_VARIANTS);
    assert_int_equal(witness->requests, WITNESS_VARIANTS + 3);
    witness_free(witness);
}

int test_witness(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_rates_are_of_full_seconds),
        cmocka_unit_test(the_window_forgets),
        cmocka_unit_test(users_are_counted_where_they_were_last),
        cmocka_unit_test(only_unexpected_errors_are_failures),
        cmocka_unit_test(there_may_be_more_variants_than_places),
    };
    return cmocka_run_group_tests_name("witness", tests, NULL, NULL);
}

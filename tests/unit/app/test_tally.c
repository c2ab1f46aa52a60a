#include "../../../src/app/demo/tally.h"
#include "base/clock.h"
#include "unit.h"

#define BEGIN (1000 * NS_PER_S)

static void visit(struct tally *tally, const char *variant, unsigned user, bool good) {
    const struct tally_visit one = {
        .variant = variant, .user = user, .good = good, .status = good ? 200 : 500, .duration_us = 50000};
    tally_add(tally, &one);
}

static struct tally_figures read(const struct tally *tally, const char *name, bool total, uint64_t now) {
    struct tally_figures figures;
    int index = tally_find(tally, name);
    assert_true(index >= 0);
    tally_read(tally, index, total, now, &figures);
    return figures;
}

static void shares_and_rates_are_of_full_seconds(void **state) {
    struct tally *tally = tally_new(100, BEGIN);
    (void)state;
    for (unsigned second = 0; second < 3; second++) {
        tally_advance(tally, BEGIN + second * NS_PER_S);
        for (unsigned i = 0; i < 100; i++)
            visit(tally, i < 90 ? "stable" : "canary", i, true);
    }
    struct tally_figures stable = read(tally, "stable", false, BEGIN + 2 * NS_PER_S);
    assert_int_equal(stable.requests, 180); // the third second is not over
    assert_true(stable.per_second > 89.9 && stable.per_second < 90.1);
    assert_true(stable.requests_share > 0.899 && stable.requests_share < 0.901);
    assert_true(stable.p50_ms > 48 && stable.p50_ms < 52);
    assert_true(stable.first_byte_ms == 0);
    struct tally_figures canary = read(tally, "canary", true, BEGIN + 3 * NS_PER_S);
    assert_int_equal(canary.requests, 30);
    assert_true(canary.per_second > 9.9 && canary.per_second < 10.1);
    assert_true(canary.users_share > 0.099 && canary.users_share < 0.101);
    tally_free(tally);
}

static void the_window_forgets(void **state) {
    struct tally *tally = tally_new(1, BEGIN);
    (void)state;
    visit(tally, "stable", 0, true);
    tally_advance(tally, BEGIN + (TALLY_SLOTS - 1) * NS_PER_S);
    assert_int_equal(read(tally, "stable", false, 0).requests, 1);
    tally_advance(tally, BEGIN + TALLY_SLOTS * NS_PER_S);
    assert_int_equal(read(tally, "stable", false, 0).requests, 0);
    visit(tally, "stable", 0, true);
    tally_advance(tally, BEGIN + 1000 * NS_PER_S); // a pause longer than the window
    assert_int_equal(read(tally, "stable", false, 0).requests, 0);
    assert_int_equal(read(tally, "stable", true, BEGIN + 1000 * NS_PER_S).requests, 2);
    tally_free(tally);
}

static void users_are_counted_where_they_were_last(void **state) {
    struct tally *tally = tally_new(3, BEGIN);
    (void)state;
    for (unsigned user = 0; user < 3; user++)
        visit(tally, "stable", user, true);
    visit(tally, "stable", 0, true);
    assert_int_equal(tally->users_seen, 3);
    assert_int_equal(tally->users_moved, 0);
    visit(tally, "canary", 2, false); // an error page moves nobody
    assert_int_equal(tally->users_moved, 0);
    visit(tally, "canary", 2, true);
    assert_int_equal(tally->users_moved, 1);
    assert_int_equal(tally->variants[tally_find(tally, "stable")].users, 2);
    assert_int_equal(tally->variants[tally_find(tally, "canary")].users, 1);
    tally_free(tally);
}

static void only_unexpected_errors_are_failures(void **state) {
    struct tally *tally = tally_new(1, BEGIN);
    const struct tally_visit meant = {.variant = "canary", .status = 500, .expected = true};
    (void)state;
    tally_add(tally, &meant);
    assert_int_equal(tally->failures, 0);
    visit(tally, NULL, 0, false);
    assert_int_equal(tally->failures, 1);
    assert_int_equal(read(tally, "canary", true, BEGIN + NS_PER_S).errors, 1);
    assert_int_equal(read(tally, "", true, BEGIN + NS_PER_S).errors, 1);
    tally_free(tally);
}

static void there_may_be_more_variants_than_places(void **state) {
    struct tally *tally = tally_new(1, BEGIN);
    char name[] = "a";
    (void)state;
    for (int i = 0; i < TALLY_VARIANTS + 3; i++, name[0]++)
        visit(tally, name, 0, true);
    assert_int_equal(tally->count, TALLY_VARIANTS);
    assert_int_equal(tally->requests, TALLY_VARIANTS + 3);
    tally_free(tally);
}

int test_tally(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_rates_are_of_full_seconds),
        cmocka_unit_test(the_window_forgets),
        cmocka_unit_test(users_are_counted_where_they_were_last),
        cmocka_unit_test(only_unexpected_errors_are_failures),
        cmocka_unit_test(there_may_be_more_variants_than_places),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}

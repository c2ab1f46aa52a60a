#include "../../../src/proxy/ceiling.h"
#include "unit.h"

#define MIB ((size_t)1 << 20)

static void steps_are_told_and_no_less(void **state) {
    (void)state;
    struct ceiling ceiling = {0};
    struct ceiling_share share = {.ceiling = &ceiling};
    ceiling_tell(&share, CEILING_GRAIN);
    assert_int_equal(atomic_load(&ceiling.held), 0); // within a step: the shared line is left alone
    ceiling_tell(&share, CEILING_GRAIN + 1);
    assert_int_equal(atomic_load(&ceiling.held), CEILING_GRAIN + 1);
    ceiling_tell(&share, 1);
    assert_int_equal(atomic_load(&ceiling.held), CEILING_GRAIN + 1);
    ceiling_tell(&share, 0);
    assert_int_equal(atomic_load(&ceiling.held), 0);
}

static void one_s_own_counts_to_the_byte_and_others_as_told(void **state) {
    (void)state;
    struct ceiling ceiling = {0};
    struct ceiling_share one = {.ceiling = &ceiling}, other = {.ceiling = &ceiling};
    ceiling_tell(&other, 3 * MIB);
    ceiling_tell(&one, MIB);
    assert_false(ceiling_reached(&one, MIB, 4 * MIB));
    assert_true(ceiling_reached(&one, MIB + 1, 4 * MIB));
    assert_false(ceiling_reached(&one, MIB, INT64_MAX));
    ceiling_tell(&other, 0);
    assert_false(ceiling_reached(&one, 2 * MIB, 4 * MIB));
}

// A worker that has told more than the sum has by now: less than nothing is not a lot.
static void nothing_is_below_none(void **state) {
    (void)state;
    struct ceiling ceiling = {0};
    struct ceiling_share share = {.ceiling = &ceiling, .told = MIB};
    assert_false(ceiling_reached(&share, 0, MIB));
}

int test_ceiling(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_told_and_no_less),
        cmocka_unit_test(one_s_own_counts_to_the_byte_and_others_as_told),
        cmocka_unit_test(nothing_is_below_none),
    };
    return cmocka_run_group_tests_name("ceiling", tests, NULL, NULL);
}

#include "../../../src/control/ejection.h"
#include "unit.h"

static void each_time_in_a_row_lasts_longer_up_to_ten_times(void **state) {
    (void)state;
    assert_int_equal(ejection_time(10000, 1), 10000);
    assert_int_equal(ejection_time(10000, 2), 20000);
    assert_int_equal(ejection_time(10000, 10), 100000);
    assert_int_equal(ejection_time(10000, 11), 100000);
    assert_int_equal(ejection_time(10000, 4000000), 100000);
}

static void never_more_than_the_share(void **state) {
    (void)state;
    assert_false(ejection_allowed(0, 1, 50)); // the only one stays
    assert_true(ejection_allowed(0, 2, 50));
    assert_false(ejection_allowed(1, 2, 50));
    assert_true(ejection_allowed(0, 3, 50));
    assert_false(ejection_allowed(1, 3, 50));
    assert_true(ejection_allowed(1, 4, 50));
    assert_true(ejection_allowed(0, 1, 100));
    assert_false(ejection_allowed(0, 10, 0));
}

int test_ejection(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_in_a_row_lasts_longer_up_to_ten_times),
        cmocka_unit_test(never_more_than_the_share),
    };
    return cmocka_run_group_tests_name("ejection", tests, NULL, NULL);
}

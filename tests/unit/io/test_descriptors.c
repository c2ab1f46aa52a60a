#include "io/descriptors.h"
#include "unit.h"
#include <errno.h>

static void clients_leave_enough_for_the_rest(void **state) {
    (void)state;
    for (uint64_t limit = 8; limit < 3000000; limit += limit / 3 + 1) {
        struct descriptors share = descriptors_share(limit);
        assert_true(share.clients >= 1 && share.clients < (uint64_t)share.data);
        assert_true(share.pipes > 0 && share.pipes <= share.data);
        assert_true((uint64_t)share.data < limit);
        if (limit > 64)
            assert_true(limit - (uint64_t)share.data >= 32);
    }
}

static void of_usual_limits(void **state) {
    (void)state;
    assert_int_equal(descriptors_share(1024).data, 896);
    assert_int_equal(descriptors_share(1024).clients, 672);
    assert_int_equal(descriptors_share(1 << 20).data, (1 << 20) - 1024);
    assert_int_equal(descriptors_share(UINT64_MAX).data, INT32_MAX); // RLIM_INFINITY
}

static void only_a_want_of_descriptors_is_one(void **state) {
    (void)state;
    assert_true(descriptors_short(EMFILE) && descriptors_short(ENFILE));
    assert_false(descriptors_short(ECONNREFUSED) || descriptors_short(0));
    assert_true(descriptors_read().data > 0);
}

int test_descriptors(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_leave_enough_for_the_rest),
        cmocka_unit_test(of_usual_limits),
        cmocka_unit_test(only_a_want_of_descriptors_is_one),
    };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}

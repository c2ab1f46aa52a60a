#include "http/reject.h"
#include "unit.h"
#include <string.h>

static void every_reason_is_complete(void **state) {
    (void)state;
    for (int i = 0; i < REJECT_COUNT; i++) {
        enum reject reject = (enum reject)i;
        assert_non_null(reject_name(reject));
        assert_int_equal(strspn(reject_name(reject), "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(reject_name(reject)));
        assert_true(strlen(reject_text(reject)) > 10);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(reject_name(reject), reject_name((enum reject)j));
        if (reject != REJECT_NONE)
            assert_in_range(reject_status(reject), 400, 505);
    }
}

static void statuses(void **state) {
    (void)state;
    assert_int_equal(reject_status(REJECT_CONNECT), 405);
    assert_int_equal(reject_status(REJECT_TARGET_TOO_LONG), 414);
    assert_int_equal(reject_status(REJECT_EXPECTATION), 417);
    assert_int_equal(reject_status(REJECT_MISDIRECTED), 421);
    assert_int_equal(reject_status(REJECT_HEAD_TOO_LARGE), 431);
    assert_int_equal(reject_status(REJECT_UNKNOWN_CODING), 501);
    assert_int_equal(reject_status(REJECT_BAD_VERSION), 505);
    assert_int_equal(reject_status(REJECT_BAD_CHUNK), 400);
    assert_string_equal(reject_name(REJECT_BAD_CHUNK), "bad_chunk");
}

int test_reject(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_reason_is_complete),
                                       cmocka_unit_test(statuses)};
    return cmocka_run_group_tests_name("reject", tests, NULL, NULL);
}

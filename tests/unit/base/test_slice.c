#include "base/slice.h"
#include "unit.h"

static void folds_ascii_only(void **state) {
    (void)state;
    assert_true(slice_equal_fold(SLICE("Content-Length"), SLICE("cONTENT-lENGTH")));
    assert_false(slice_equal_fold(SLICE("a"), SLICE("ab")));
    assert_false(slice_equal_fold(SLICE("@"), SLICE("`"))); // 0x20 apart, not letters
    assert_false(slice_equal_fold(SLICE("["), SLICE("{")));
    assert_false(slice_equal_fold(SLICE("\xc4"), SLICE("\xe4")));
    assert_true(slice_equal_fold(slice_of(NULL), SLICE("")));
}

static void trims_blanks(void **state) {
    (void)state;
    assert_true(slice_equal(slice_trim(SLICE(" \t a b\t ")), SLICE("a b")));
    assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
    assert_true(slice_equal(slice_trim(SLICE("\na\r")), SLICE("\na\r")));
}

static void cuts_to_the_end(void **state) {
    (void)state;
    struct slice rest = SLICE("a,,b,");
    const char *want[] = {"a", "", "b", ""};
    size_t parts = 0;
    while (rest.at) {
        assert_true(parts < 4);
        assert_true(slice_equal(slice_cut(&rest, ','), slice_of(want[parts])));
        parts++;
    }
    assert_int_equal(parts, 4);
    assert_int_equal(slice_cut(&rest, ',').len, 0); // harmless past the end
}

static void finds_and_drops(void **state) {
    (void)state;
    assert_int_equal(slice_find(SLICE("abc"), 'c'), 2);
    assert_int_equal(slice_find(SLICE("abc"), 'x'), 3);
    assert_int_equal(slice_find(slice_of(NULL), 'x'), 0);
    assert_true(slice_equal(slice_from(SLICE("abc"), 1), SLICE("bc")));
    assert_int_equal(slice_from(SLICE("abc"), 9).len, 0);
    assert_true(slice_starts(SLICE("abc"), SLICE("ab")));
    assert_false(slice_starts(SLICE("a"), SLICE("ab")));
}

static void reads_numbers(void **state) {
    (void)state;
    uint64_t value = 7;
    assert_true(slice_to_u64(SLICE("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
    assert_true(slice_to_u64(SLICE("007"), &value));
    assert_int_equal(value, 7);
    const char *bad[] = {
        "", "18446744073709551616", "99999999999999999999", "+1", "-1", " 1", "1 ", "0x1", "1_0", "1a"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(slice_to_u64(slice_of(bad[i]), &value));
    assert_int_equal(value, 7);
}

int test_slice(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_ascii_only), cmocka_unit_test(trims_blanks),
        cmocka_unit_test(cuts_to_the_end),  cmocka_unit_test(finds_and_drops),
        cmocka_unit_test(reads_numbers),
    };
    return cmocka_run_group_tests_name("slice", tests, NULL, NULL);
}

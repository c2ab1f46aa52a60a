#include "../../../src/config/names.h"
#include "unit.h"

#include <string.h>

static void sorted_by_name_then_place_in_the_file(void **state) {
    (void)state;
    struct named names[] = {
        {"b", {1, 1}, 0}, {"a", {2, 1}, 1}, {"b", {3, 1}, 2}, {"c", {4, 1}, 3}, {"b", {5, 1}, 4}};
    names_sort(names, 5);
    static const size_t order[] = {1, 0, 2, 4, 3};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(names[i].index, order[i]);
    assert_int_equal(names_find(names, 5, "a")->index, 1);
    assert_int_equal(names_find(names, 5, "b")->index, 0);
    assert_int_equal(names_find(names, 5, "c")->index, 3);
    assert_null(names_find(names, 5, ""));
    assert_null(names_find(names, 5, "bb"));
    assert_null(names_find(names, 5, "d"));
    assert_int_equal(names_repeat(names, 5, 1), 2);
    assert_int_equal(names_repeat(names, 5, 3), 3);
    assert_int_equal(names_repeat(names, 5, 4), 5);
}

static void none_and_one(void **state) {
    (void)state;
    struct named one = {"x", {1, 1}, 0};
    names_sort(NULL, 0);
    names_sort(&one, 1);
    assert_null(names_find(NULL, 0, "x"));
    assert_ptr_equal(names_find(&one, 1, "x"), &one);
    assert_int_equal(names_repeat(NULL, 0, 1), 0);
    assert_int_equal(names_repeat(&one, 1, 1), 1);
}

int test_names(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_by_name_then_place_in_the_file),
        cmocka_unit_test(none_and_one),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}

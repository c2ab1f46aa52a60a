#include "../../../src/app/foot.h"
#include "unit.h"

static void assert_fits(const char *text, unsigned columns, unsigned rows, const char *expected) {
    struct strbuf out = {0};
    foot_fit(&out, slice_of(text), columns, rows);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void lines_are_cut_to_the_terminal(void **state) {
    (void)state;
    assert_fits("one\ntwo\n", 80, 2, "one\ntwo\n");
    assert_fits("abcdef\nab\n", 4, 9, "abcd\nab\n");
    assert_fits("▁▂▃▄\n", 3, 9, "▁▂▃\n");                              // a character is as wide as it looks
    assert_fits("a\033[31mbc\033[0md\n", 2, 9, "a\033[31mb\033[0m\n"); // the colour ends although it is cut
    assert_fits("ab▁", 2, 9, "ab");
    assert_fits("", 2, 9, "");
}

static void what_is_not_shown_is_counted(void **state) {
    (void)state;
    assert_fits("one\ntwo\nthree\n", 80, 2, "one\n(2 more lines)\n");
    assert_fits("one\ntwo\nthree\n", 7, 2, "one\n(2 more\n");
    assert_fits("one\ntwo\nthree\n", 80, 1, "one\n"); // there is no room to say so
    assert_fits("a\rb\tc\n", 80, 1, "a b c\n");       // nothing moves the cursor
}

static void lines_that_are_broken_anew_take_more_rows(void **state) {
    struct slice lines = SLICE("abcdef\n\n\033[31m▁▂▃▄\033[0m\n");
    (void)state;
    assert_int_equal(foot_rows(lines, 6), 3);
    assert_int_equal(foot_rows(lines, 5), 4);
    assert_int_equal(foot_rows(lines, 3), 5);
    assert_int_equal(foot_rows(SLICE(""), 3), 0);
}

int test_foot(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_cut_to_the_terminal),
        cmocka_unit_test(what_is_not_shown_is_counted),
        cmocka_unit_test(lines_that_are_broken_anew_take_more_rows),
    };
    return cmocka_run_group_tests_name("foot", tests, NULL, NULL);
}

#include "control/percent.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static void text_with_up_to_two_decimals(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint16_t expected;
    } good[] = {{"0", 0},        {"5", 500},   {"100", 10000},    {"0.5", 50},   {"2.25", 225},
                {"99.99", 9999}, {"00.01", 1}, {"100.00", 10000}, {"33.3", 3330}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint16_t value = 7;
        assert_true(percent_parse(slice_of(good[i].text), &value));
        assert_int_equal(value, good[i].expected);
    }
}

static void other_text_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",     "-1",  "+1",   "100.01", "101", "1.234", "1.", ".5",
                                      "five", "1e1", "0x10", " 5",     "5 ",  "1.2.3", "1,5"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint16_t value = 7;
        assert_false(percent_parse(slice_of(bad[i]), &value));
        assert_int_equal(value, 7);
    }
}

static void every_basis_point_survives_text_and_number(void **state) {
    (void)state;
    struct strbuf text = {0};
    for (unsigned i = 0; i <= 10000; i++) {
        uint16_t parsed = 0, converted = 0;
        strbuf_clear(&text);
        percent_write(&text, (uint16_t)i);
        assert_true(percent_parse(strbuf_as_slice(&text), &parsed));
        assert_int_equal(parsed, i);
        assert_true(percent_of(i / 100.0, &converted));
        assert_int_equal(converted, i);
    }
    strbuf_free(&text);
}

static void numbers_out_of_range_or_too_fine(void **state) {
    (void)state;
    uint16_t value;
    assert_false(percent_of(-0.01, &value));
    assert_false(percent_of(100.01, &value));
    assert_false(percent_of(0.001, &value));
    assert_false(percent_of(33.333, &value));
    assert_false(percent_of(NAN, &value));
    assert_false(percent_of(INFINITY, &value));
}

int test_percent(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_with_up_to_two_decimals),
        cmocka_unit_test(other_text_is_refused),
        cmocka_unit_test(every_basis_point_survives_text_and_number),
        cmocka_unit_test(numbers_out_of_range_or_too_fine),
    };
    return cmocka_run_group_tests_name("percent", tests, NULL, NULL);
}

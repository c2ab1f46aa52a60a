#include "../../../src/app/words.h"
#include "unit.h"

#define SAYS(expected, call)                              \
    do {                                                  \
        struct strbuf out = {0};                          \
        call;                                             \
        assert_string_equal(strbuf_text(&out), expected); \
        strbuf_free(&out);                                \
    } while (0)

static void durations_have_two_units(void **state) {
    (void)state;
    SAYS("0 s", words_duration(&out, 0));
    SAYS("12.5 s", words_duration(&out, 12.5));
    SAYS("59 s", words_duration(&out, 59));
    SAYS("59.9 s", words_duration(&out, 59.94));
    SAYS("1m", words_duration(&out, 59.96)); // not 60.0 s
    SAYS("1m", words_duration(&out, 60));
    SAYS("3m 12s", words_duration(&out, 192.4));
    SAYS("2h 5m", words_duration(&out, 7500));
    SAYS("1d 3h", words_duration(&out, 97200));
    SAYS("2d", words_duration(&out, 172800));
    SAYS("0 s", words_duration(&out, -5));
    SAYS("0 s", words_duration(&out, 1e15)); // past what can be
}

static void counts_have_groups(void **state) {
    (void)state;
    SAYS("0", words_count(&out, 0));
    SAYS("999", words_count(&out, 999));
    SAYS("1,000", words_count(&out, 1000));
    SAYS("1,204,330", words_count(&out, 1204330));
    SAYS("0", words_count(&out, -1));
    SAYS("0", words_count(&out, 1e18));
}

static void values_have_their_unit(void **state) {
    json_t *object = json_pack("{s:f, s:n}", "x", 0.0046, "none");
    (void)state;
    SAYS("0.46 %", words_value(&out, object, "x", "share"));
    SAYS("4.6 ms", words_value(&out, object, "x", "seconds"));
    SAYS("$0.0046", words_value(&out, object, "x", "dollars"));
    SAYS("0.0046", words_value(&out, object, "x", "score"));
    SAYS("0.0/s", words_value(&out, object, "x", "per_second"));
    SAYS("?", words_value(&out, object, "none", "share"));
    SAYS("?", words_value(&out, object, "missing", "share"));
    json_decref(object);
}

static void an_interval_needs_both_ends(void **state) {
    json_t *both = json_pack("{s:f, s:f}", "low", -0.001, "high", 0.02);
    json_t *one = json_pack("{s:f, s:n}", "low", -0.001, "high");
    (void)state;
    SAYS("-0.10 to 2.00 points", assert_true(words_interval(&out, both, "share")));
    SAYS("-1.0 ms to 20.0 ms", assert_true(words_interval(&out, both, "seconds")));
    SAYS("", assert_false(words_interval(&out, one, "share")));
    SAYS("", assert_false(words_interval(&out, NULL, "share")));
    json_decref(both);
    json_decref(one);
}

static void e_values_of_any_size(void **state) {
    (void)state;
    SAYS("200", words_e_value(&out, 2.30103));
    SAYS("0.631", words_e_value(&out, -0.2));
    SAYS("1e412", words_e_value(&out, 412));
    SAYS("1e-9000", words_e_value(&out, -9000));
}

static void nothing_steers_the_terminal(void **state) {
    (void)state;
    SAYS(" [31mred – é", words_plain(&out, "\033[31mred – é"));
    SAYS("a b", words_plain(&out, "a\nb"));
    SAYS("a b", words_plain(&out, "a\x7f"
                                  "b"));
}

int test_words(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_two_units), cmocka_unit_test(counts_have_groups),
        cmocka_unit_test(values_have_their_unit),   cmocka_unit_test(an_interval_needs_both_ends),
        cmocka_unit_test(e_values_of_any_size),     cmocka_unit_test(nothing_steers_the_terminal),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}

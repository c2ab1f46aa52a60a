#include "base/roff.h"
#include "unit.h"

static void expect_text(const char *text, const char *expected) {
    struct strbuf out = {0};
    roff_text(&out, text);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void a_sentence_begins_a_line(void **state) {
    (void)state;
    expect_text("One. Two (of\n  them.) Three", "One.\nTwo (of them.)\nThree\n");
    expect_text("", "");
}

static void long_lines_are_broken(void **state) {
    (void)state;
    struct strbuf text = {0}, out = {0};
    for (int i = 0; i < 40; i++)
        strbuf_string(&text, "seven77 ");
    roff_text(&out, strbuf_text(&text));
    struct slice rest = strbuf_as_slice(&out);
    size_t lines = 0;
    for (; rest.len; lines++)
        assert_true(slice_cut(&rest, '\n').len <= 78);
    assert_int_equal(lines, 5);
    strbuf_free(&text);
    strbuf_free(&out);
}

// A line that begins with a dot or an apostrophe would be a request.
static void nothing_is_a_request(void **state) {
    (void)state;
    expect_text(".Sh 'x", "\\&.Sh \\(aqx\n");
    expect_text("a\\b ~^", "a\\eb \\(ti\\(ha\n");
    struct strbuf out = {0};
    roff_lines(&out, ".x\na.b\n.y\n");
    assert_string_equal(strbuf_text(&out), "\\&.x\na.b\n\\&.y\n");
    strbuf_free(&out);
}

static void words_in_backticks_are_bold(void **state) {
    (void)state;
    expect_text("see `a-b c`.", "see \\fBa\\-b c\\fR.\n");
}

static void other_characters_are_named(void **state) {
    (void)state;
    expect_text("…–ä", "\\[u2026]\\[u2013]\\[u00E4]\n");
    struct strbuf out = {0};
    roff_word(&out, "UNIT…");
    assert_string_equal(strbuf_text(&out), "UNIT\\[u2026]");
    strbuf_free(&out);
}

int test_roff(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_begins_a_line),   cmocka_unit_test(long_lines_are_broken),
        cmocka_unit_test(nothing_is_a_request),       cmocka_unit_test(words_in_backticks_are_bold),
        cmocka_unit_test(other_characters_are_named),
    };
    return cmocka_run_group_tests_name("roff", tests, NULL, NULL);
}

// Whatever the file holds: a configuration or at least one diagnostic, and (under the sanitisers) no crash,
// no leak.
#include "base/random.h"
#include "load.h"
#include "unit.h"

#include <stdlib.h>

#define MUTATIONS 2000

static unsigned line_count(struct slice text) { // as YAML breaks them: LF, CR, CRLF, NEL, LS, PS
    unsigned lines = 1;
    for (size_t i = 0; i < text.len; i++) {
        struct slice here = slice_from(text, i);
        lines += *here.at == '\n' || (*here.at == '\r' && !slice_starts(here, SLICE("\r\n"))) ||
                 slice_starts(here, SLICE("\xc2\x85")) || slice_starts(here, SLICE("\xe2\x80\xa8")) ||
                 slice_starts(here, SLICE("\xe2\x80\xa9"));
    }
    return lines;
}

// The text in memory of its own size, so that reading past its end is seen.
static void check_text(struct slice text, const char *what, size_t number) {
    struct diagnostics diagnostics;
    char *exact = malloc(text.len ? text.len : 1);
    assert_non_null(exact);
    if (text.len)
        memcpy(exact, text.at, text.len);
    struct config *config =
        config_parse(TEST_DATA "/config/test.yaml", slice_make(exact, text.len), &diagnostics);
    free(exact);
    if ((config != NULL) != (diagnostics.count == 0))
        fail_msg("%s %zu: %s with %zu diagnostics", what, number, config ? "accepted" : "refused",
                 diagnostics.count);
    for (size_t i = 0; i < diagnostics.count; i++) {
        assert_true(diagnostics.items[i].place.line >= 1 && diagnostics.items[i].place.column >= 1);
        assert_true(diagnostics.items[i].place.line <= line_count(text));
        assert_null(strchr(diagnostics.items[i].text, '\n'));
    }
    diagnostics_free(&diagnostics);
    config_unref(config);
}

static void every_prefix(void **state) {
    (void)state;
    struct strbuf text = {0};
    read_text_file(SOURCE_ROOT "/config/reference.yaml", &text);
    for (size_t len = 0; len <= text.len; len++)
        check_text(slice_make(text.at, len), "prefix", len);
    strbuf_free(&text);
}

// Of every one the last line has no end, and the mistake is found there.
static void mistakes_stand_in_the_file(void **state) {
    (void)state;
    static const char *const texts[] = {"# a\n\n---\n# b", "listeners:\n  - address: x\n(",
                                        "a:\n  - 'b",      "\xef\xbb\xbf# a",
                                        "a: [b,",          "a: 1\n---\nb: 2\n--- # c"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_text(slice_of(texts[i]), "end", i);
}

// Lines are counted as YAML breaks them, or what is wrong in the last one would stand elsewhere.
static void every_line_break_counts(void **state) {
    (void)state;
    static const char *const breaks[] = {"\n", "\r", "\r\n", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"};
    for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
        struct strbuf text = {0};
        struct diagnostics diagnostics;
        strbuf_format(&text, "# a%s# b%s# \xc2\xa7 \xff", breaks[i], breaks[i]);
        assert_null(config_parse("test.yaml", strbuf_as_slice(&text), &diagnostics));
        assert_int_equal(diagnostics.count, 1);
        assert_int_equal(diagnostics.items[0].place.line, 3);
        assert_int_equal(diagnostics.items[0].place.column, 5);
        diagnostics_free(&diagnostics);
        strbuf_free(&text);
    }
}

static struct slice random_line(struct random_state *random, struct slice text) {
    size_t at = random_below(random, text.len), begin = at;
    while (begin > 0 && text.at[begin - 1] != '\n')
        begin--;
    size_t end = at + slice_find(slice_from(text, at), '\n');
    return slice_make(text.at + begin, (end < text.len ? end + 1 : end) - begin);
}

// One change: a byte flipped or replaced, a line left out, doubled or put elsewhere.
static void mutate(struct random_state *random, struct strbuf *text) {
    static const char special[] = "{}[]:,&*!|>'\"%@`#?- \t\n\r$~\x00\xff\x80";
    if (text->len == 0)
        return;
    struct slice whole = strbuf_as_slice(text), line = random_line(random, whole);
    size_t at = random_below(random, text->len), cut = (size_t)(line.at - text->at);
    struct strbuf out = {0};
    switch (random_below(random, 5)) {
    case 0:
        text->at[at] = (char)(text->at[at] ^ (1 << random_below(random, 8)));
        return;
    case 1:
        text->at[at] = special[random_below(random, sizeof special - 1)];
        return;
    case 2: // left out
        strbuf_append(&out, whole.at, cut);
        strbuf_slice(&out, slice_from(whole, cut + line.len));
        break;
    default: // doubled, or put elsewhere as well
        strbuf_append(&out, whole.at, random_below(random, 2) ? cut : at);
        strbuf_slice(&out, line);
        strbuf_slice(&out, slice_from(whole, out.len - line.len));
        break;
    }
    strbuf_free(text);
    *text = out;
}

static void seeded_mutations(void **state) {
    (void)state;
    struct strbuf text = {0};
    struct random_state random;
    random_seed_fixed(&random, 20260401);
    read_text_file(SOURCE_ROOT "/config/reference.yaml", &text);
    for (size_t i = 0; i < MUTATIONS; i++) {
        struct strbuf copy = {0};
        strbuf_slice(&copy, strbuf_as_slice(&text));
        for (uint64_t n = 1 + random_below(&random, 4); n > 0; n--)
            mutate(&random, &copy);
        check_text(strbuf_as_slice(&copy), "mutation", i);
        strbuf_free(&copy);
    }
    strbuf_free(&text);
}

int test_robust(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(mistakes_stand_in_the_file),
        cmocka_unit_test(every_line_break_counts),
        cmocka_unit_test(seeded_mutations),
    };
    return cmocka_run_group_tests_name("robust", tests, NULL, NULL);
}

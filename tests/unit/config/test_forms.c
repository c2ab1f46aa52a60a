// Patterns of the JSON Schema, tried with POSIX regular expressions (which have no lookahead and no `(?:`).
#include "../../../src/config/forms.h"
#include "../../../src/config/json_layout.h"
#include "../../../src/config/value.h"
#include "unit.h"

#include <regex.h>
#include <stdio.h>

// The pattern as POSIX has it: the groups here are all of the kind that is not remembered.
static void compile(const struct strbuf *pattern, regex_t *regex) {
    struct strbuf text = {0};
    strbuf_string(&text, "^(");
    for (size_t i = 0; i < pattern->len; i++)
        if (i + 1 < pattern->len && pattern->at[i] == '?' && pattern->at[i + 1] == ':')
            i++;
        else
            strbuf_char(&text, pattern->at[i]);
    strbuf_string(&text, ")$");
    assert_int_equal(regcomp(regex, strbuf_text(&text), REG_EXTENDED | REG_NOSUB), 0);
    strbuf_free(&text);
}

static bool fits(const regex_t *regex, const char *text) {
    return regexec(regex, text, 0, NULL, 0) == 0;
}

static void whole_numbers_are_those_of_the_range(void **state) {
    (void)state;
    static const struct {
        int64_t least, most;
    } ranges[] = {{0, 1},    {1, 9},    {1, 256}, {24, 1005},  {100, 599},
                  {0, 1000}, {99, 101}, {7, 7},   {10, 19999}, {0, 20000}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct strbuf pattern = {0};
        regex_t regex;
        form_integer(&pattern, ranges[i].least, ranges[i].most);
        compile(&pattern, &regex);
        for (int64_t n = 0; n <= 20002; n++) {
            char text[32];
            snprintf(text, sizeof text, n % 3 ? "%lld" : "00%lld", (long long)n);
            bool in = n >= ranges[i].least && n <= ranges[i].most;
            if (fits(&regex, text) != in)
                fail_msg("%s: %lld to %lld as %s", text, (long long)ranges[i].least,
                         (long long)ranges[i].most, strbuf_text(&pattern));
        }
        regfree(&regex);
        strbuf_free(&pattern);
    }
}

// Never stricter than the reader and its range; what is a whole unit or more off is seen.
static void durations_are_those_of_the_range(void **state) {
    (void)state;
    static const char *const texts[] = {
        "0",    "0s",  "1ms",   "9ms",   "10ms", "0.05s", ".5s",    "1.5s",  "59s",      "60s",     "61s",
        "1.0m", "10m", "10.5m", "11m",   "1h",   "0.1h",  "24h",    "25h",   "1d",       "2d",      "31d",
        "5",    "s",   "5 s",   "1h30m", "-1s",  "1e3s",  "1.2.3s", "never", "600000ms", "600001ms"};
    static const struct {
        int64_t least, most;
    } ranges[] = {{0, 0}, {1, 600000}, {10, 60000}, {1000, 86400000}, {0, INT64_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct strbuf pattern = {0};
        regex_t regex;
        bool any = ranges[i].most == 0 || ranges[i].most == INT64_MAX;
        form_duration(&pattern, ranges[i].least, ranges[i].most);
        compile(&pattern, &regex);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            int64_t ms;
            bool known = value_duration(texts[k], &ms);
            bool right = known && ms >= ranges[i].least && (any || ms <= ranges[i].most);
            if (right && !fits(&regex, texts[k]))
                fail_msg("%s is right: %s", texts[k], strbuf_text(&pattern));
            if (!known && fits(&regex, texts[k]))
                fail_msg("%s is none: %s", texts[k], strbuf_text(&pattern));
            if (known && !any && ms >= ranges[i].most * 2 + 86400000 && fits(&regex, texts[k]))
                fail_msg("%s is far too much: %s", texts[k], strbuf_text(&pattern));
        }
        regfree(&regex);
        strbuf_free(&pattern);
    }
}

static void expect_size(const char *text, int64_t least, int64_t most, bool fit) {
    struct strbuf pattern = {0};
    regex_t regex;
    form_size(&pattern, least, most);
    compile(&pattern, &regex);
    if (fits(&regex, text) != fit)
        fail_msg("%s: %s", text, strbuf_text(&pattern));
    regfree(&regex);
    strbuf_free(&pattern);
}

static void sizes_are_those_of_the_range(void **state) {
    (void)state;
    expect_size("1KiB", 1024, 64512, true);
    expect_size("1023", 1024, 64512, false);
    expect_size("1024", 1024, 64512, true);
    expect_size("64512B", 1024, 64512, true);
    expect_size("63KiB", 1024, 64512, true);
    expect_size("64KiB", 1024, 64512, false);
    expect_size("0.05MiB", 1024, 64512, true);
    expect_size("1MiB", 1024, 64512, false);
    expect_size("100MiB", 0, INT64_MAX, true);
    expect_size("100MB", 0, INT64_MAX, false);
    expect_size("", 0, INT64_MAX, false);
}

static void expect_layout(const char *text, const char *expected) {
    struct strbuf out = {0};
    json_layout(slice_of(text), &out);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void json_is_laid_out(void **state) {
    (void)state;
    expect_layout("{}", "{}\n");
    expect_layout("{'a':1,\"b'\":['x',\"y\\\"'\",],}", "{\"a\": 1, \"b'\": [\"x\", \"y\\\"'\"]}\n");
}

int test_forms(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_those_of_the_range),
        cmocka_unit_test(durations_are_those_of_the_range),
        cmocka_unit_test(sizes_are_those_of_the_range),
        cmocka_unit_test(json_is_laid_out),
    };
    return cmocka_run_group_tests_name("forms", tests, NULL, NULL);
}

#include "../../../src/config/value.h"
#include "config/config.h"
#include "unit.h"

#include <string.h>

static void assert_refused(bool (*read)(const char *, int64_t *), const char *const *texts) {
    int64_t value;
    for (; *texts; texts++)
        if (read(*texts, &value))
            fail_msg("\"%s\" was understood as %lld", *texts, (long long)value);
}

static void assert_value(bool (*read)(const char *, int64_t *), const char *text, int64_t expected) {
    int64_t value = -77;
    if (!read(text, &value))
        fail_msg("\"%s\" was not understood", text);
    if (value != expected)
        fail_msg("\"%s\" is %lld, not %lld", text, (long long)value, (long long)expected);
}

static void booleans(void **state) {
    (void)state;
    bool value;
    assert_true(value_bool("true", &value) && value && value_bool("yes", &value) && value);
    assert_true(value_bool("on", &value) && value && value_bool("off", &value) && !value);
    assert_true(value_bool("false", &value) && !value && value_bool("no", &value) && !value);
    assert_false(value_bool("True", &value) || value_bool("1", &value) || value_bool("", &value));
}

static void integers(void **state) {
    (void)state;
    static const char *const wrong[] = {"",    "-", "+1", " 1", "1 ", "1.0", "0x10", "9223372036854775808",
                                        "1e3", NULL};
    assert_value(value_integer, "0", 0);
    assert_value(value_integer, "-12", -12);
    assert_value(value_integer, "9223372036854775807", INT64_MAX);
    assert_refused(value_integer, wrong);
}

static void durations(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",    "5",    "s",    "-1s", "5 s", "1h30m", "5S", "0.5ms", "1..5s", "1e3s", "99999999999999d",
        "inf", "nans", "5sec", NULL};
    assert_value(value_duration, "250ms", 250);
    assert_value(value_duration, "5s", 5000);
    assert_value(value_duration, "1.5s", 1500);
    assert_value(value_duration, "1.005s", 1005); // no exact double
    assert_value(value_duration, "10m", 600000);
    assert_value(value_duration, "1h", 3600000);
    assert_value(value_duration, "2d", 172800000);
    assert_value(value_duration, "0", 0);
    assert_value(value_duration, "0s", 0);
    assert_refused(value_duration, wrong);
}

static void sizes(void **state) {
    (void)state;
    static const char *const wrong[] = {"",  "-1", "1KB", "16kib", "1 KiB", "KiB", "1.3B", "99999999999TiB",
                                        NULL};
    assert_value(value_size, "4096", 4096);
    assert_value(value_size, "7B", 7);
    assert_value(value_size, "16KiB", 16384);
    assert_value(value_size, "1.5MiB", 1572864);
    assert_value(value_size, "2GiB", 2147483648);
    assert_value(value_size, "1TiB", 1099511627776);
    assert_refused(value_size, wrong);
}

static void percentages_become_basis_points(void **state) {
    (void)state;
    static const char *const wrong[] = {"",    ".5",  "5.",  "-5",       "0.125", "5.001",
                                        "5%%", "% 5", "1e1", "12345678", NULL};
    assert_value(value_percent, "5", 500);
    assert_value(value_percent, "0.5", 50);
    assert_value(value_percent, "0.25", 25);
    assert_value(value_percent, "0.01", 1);
    assert_value(value_percent, "33.30", 3330);
    assert_value(value_percent, "5.2500", 525);
    assert_value(value_percent, "100", 10000);
    assert_value(value_percent, "5%", 500);
    assert_value(value_percent, "0", 0);
    assert_refused(value_percent, wrong);
}

static void numbers(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "x", "0x10", "1 ", "inf", "nan", "-inf", "1e999", ".", "-", NULL};
    double value;
    assert_true(value_number("2.50", &value) && value == 2.5);
    assert_true(value_number("-1e-3", &value) && value == -0.001);
    assert_true(value_number(".5", &value) && value == 0.5);
    for (size_t i = 0; wrong[i]; i++)
        if (value_number(wrong[i], &value))
            fail_msg("\"%s\" was understood", wrong[i]);
}

static void numbers_of_json(void **state) {
    (void)state;
    static const char *const right[] = {"0", "-0", "3", "-3.25", "1e5", "1E-5", "10.01e+2", NULL};
    static const char *const wrong[] = {"",  "01", "1.",    ".5",  "+1",   "0x1",
                                        "-", "1e", "1e999", "-01", "1.e5", NULL};
    for (size_t i = 0; right[i]; i++)
        if (!value_json_number(right[i]))
            fail_msg("%s is a JSON number", right[i]);
    for (size_t i = 0; wrong[i]; i++)
        if (value_json_number(wrong[i]))
            fail_msg("%s is no JSON number", wrong[i]);
}

static void names_and_tokens(void **state) {
    (void)state;
    char longest[66] = {0};
    memset(longest, 'a', 64);
    assert_true(name_valid("gpt-4o_v1.1") && name_valid("_x") && name_valid("4") && name_valid(longest));
    longest[64] = 'a';
    assert_false(name_valid("") || name_valid("-x") || name_valid(".x") || name_valid("a b") ||
                 name_valid("\xc3\xa9") || name_valid("a/b") || name_valid(longest));
    assert_true(token_valid("X-User-Id") && token_valid("a!#$%&'*+.^_`|~9"));
    assert_false(token_valid("") || token_valid("a b") || token_valid("a:") || token_valid("\xc3\xa9"));
    assert_true(header_value_valid("") && header_value_valid("a\tb \xc3\xa9"));
    assert_false(header_value_valid("a\nb") || header_value_valid("a\rb") || header_value_valid("\x7f"));
}

// As DNS bounds them: 63 characters between two dots, 253 in all.
static void hosts_are_bounded(void **state) {
    (void)state;
    char longest[256];
    memset(longest, 'a', sizeof longest);
    longest[63] = longest[127] = longest[191] = '.';
    longest[253] = '\0';
    assert_true(host_valid(longest));
    memcpy(longest + 253, "a", 2);
    assert_false(host_valid(longest));
    memset(longest, 'a', 64);
    longest[63] = '\0';
    assert_true(host_valid(longest));
    memcpy(longest + 63, "a", 2);
    assert_false(host_valid(longest));
    memcpy(longest + 60, "a.b", 4);
    assert_true(host_valid(longest));
}

static void hosts_pointers_and_urls(void **state) {
    (void)state;
    assert_true(host_valid("a") && host_valid("api.example.com") && host_valid("10.0.0.1") &&
                host_valid("a_b-c"));
    assert_false(host_valid("") || host_valid("a.") || host_valid(".a") || host_valid("a..b") ||
                 host_valid("a:1") || host_valid("a b") || host_valid("*"));
    assert_true(pointer_valid("") && pointer_valid("/") && pointer_valid("/a/0/~0~1"));
    assert_false(pointer_valid("a") || pointer_valid("/~") || pointer_valid("/~2"));
    assert_true(url_valid("http://h") && url_valid("https://h:1/p?q") && url_valid("http://[::1]/"));
    assert_false(url_valid("http://") || url_valid("http:///p") || url_valid("ftp://h") ||
                 url_valid("http://h /") || url_valid("h") || url_valid("http://h\n") ||
                 url_valid("http://h/\x7f"));
}

int test_value(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans),
        cmocka_unit_test(integers),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(percentages_become_basis_points),
        cmocka_unit_test(numbers),
        cmocka_unit_test(numbers_of_json),
        cmocka_unit_test(names_and_tokens),
        cmocka_unit_test(hosts_are_bounded),
        cmocka_unit_test(hosts_pointers_and_urls),
    };
    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}

#include "../../../src/app/demo/arguments.h"
#include "app/options.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void durations_have_units(void **state) {
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {{"0s", 0},         {"80ms", 80000},    {"1.5s", 1500000},
                {"2m", 120000000}, {"1h", 3600000000}, {"250us", 250}};
    static const char *const bad[] = {"",     "5",    "s",   "-5s", "+5s",       "5 s", "5S",
                                      "1e3s", "nans", ".5s", "1.s", "99999999h", "5ss", "0x10s"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t us = 1;
        assert_true(arguments_duration(good[i].text, &us));
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t us = 7;
        if (arguments_duration(bad[i], &us))
            fail_msg("\"%s\" was taken as %llu us", bad[i], (unsigned long long)us);
    }
}

struct values {
    unsigned port, count;
    const char *text;
    double percent;
    uint64_t duration;
    const char *kind;
    bool flag;
};

// What is printed is not of interest here.
static bool read_quietly(struct values *values, const char *one, const char *two, int *exit_code) {
    const struct argument items[] = {
        {"--port", ARGUMENT_PORT, &values->port, "N", "help"},
        {"--count", ARGUMENT_COUNT, &values->count, "N", "help"},
        {"--text", ARGUMENT_TEXT, &values->text, "TEXT", "help"},
        {"--percent", ARGUMENT_PERCENT, &values->percent, "N", "help"},
        {"--time", ARGUMENT_DURATION, &values->duration, "TIME", "help"},
        {"--flag", ARGUMENT_FLAG, &values->flag, NULL, "help"},
        {"--kind", ARGUMENT_OPTIONAL, &values->kind, "[KIND]", "help"},
    };
    const struct argument_list list = {"test", "About.", items, sizeof items / sizeof *items};
    const char *argv[] = {"test", one, two, NULL};
    int argc = two ? 3 : one ? 2 : 1, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    fflush(NULL);
    int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    *exit_code = -1;
    bool read = arguments_read(&list, argc, (char **)(uintptr_t)argv, exit_code);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(out);
    close(err);
    close(null);
    return read;
}

static void values_are_stored(void **state) {
    struct values values = {0};
    int code;
    (void)state;
    assert_true(read_quietly(&values, NULL, NULL, &code));
    assert_true(read_quietly(&values, "--port", "65535", &code));
    assert_true(read_quietly(&values, "--count=12", "--flag", &code));
    assert_true(read_quietly(&values, "--text", "--flag", &code)); // a value may look like an option
    assert_true(read_quietly(&values, "--percent=2.5", "--time=5s", &code));
    assert_int_equal(values.port, 65535);
    assert_int_equal(values.count, 12);
    assert_string_equal(values.text, "--flag");
    assert_true(values.percent > 2.49 && values.percent < 2.51);
    assert_int_equal(values.duration, 5000000);
    assert_true(values.flag);
}

static void a_value_may_be_left_out_where_it_is_optional(void **state) {
    struct values values = {0};
    int code;
    (void)state;
    assert_true(read_quietly(&values, "--flag", NULL, &code));
    assert_null(values.kind);
    assert_true(read_quietly(&values, "--kind", NULL, &code));
    assert_string_equal(values.kind, "");
    values = (struct values){0};
    assert_true(read_quietly(&values, "--kind", "--flag", &code));
    assert_string_equal(values.kind, "");
    assert_true(values.flag);
    assert_true(read_quietly(&values, "--kind", "latency", &code));
    assert_string_equal(values.kind, "latency");
    assert_true(read_quietly(&values, "--kind=cost", NULL, &code));
    assert_string_equal(values.kind, "cost");
}

static void mistakes_are_usage_errors(void **state) {
    static const char *const bad[][2] = {{"--nonsense", NULL}, {"word", NULL},         {"--port", NULL},
                                         {"--port", "65536"},  {"--port", "-1"},       {"--port", "1x"},
                                         {"--count", ""},      {"--percent", "100.1"}, {"--percent", "nan"},
                                         {"--time", "5"},      {"--text=", NULL},      {"--flag=yes", NULL},
                                         {"--por", "80"},      {"--count", "1000001"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct values values = {0};
        int code;
        if (read_quietly(&values, bad[i][0], bad[i][1], &code))
            fail_msg("%s %s was taken", bad[i][0], bad[i][1] ? bad[i][1] : "");
        assert_int_equal(code, EXIT_USAGE);
    }
}

static void help_is_no_mistake(void **state) {
    struct values values = {0};
    int code;
    (void)state;
    assert_false(read_quietly(&values, "--help", NULL, &code));
    assert_int_equal(code, EXIT_DONE);
}

int test_arguments(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(values_are_stored),
        cmocka_unit_test(a_value_may_be_left_out_where_it_is_optional),
        cmocka_unit_test(mistakes_are_usage_errors),
        cmocka_unit_test(help_is_no_mistake),
    };
    return cmocka_run_group_tests_name("arguments", tests, NULL, NULL);
}

#include "../../../src/control/evaluation.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/sluice-evaluation-XXXXXX";
static char path[128];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/evaluation.json", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put(const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void check(const char *pointer, double min, bool met, const char *words) {
    struct evaluation_config evaluation = {.file = path, .json = pointer, .min = min};
    char because[400];
    bool seen = evaluation_met(&evaluation, because, sizeof because);
    if (seen != met || !strstr(because, words))
        fail_msg("%s: %d, %s", pointer, seen, because);
}

static void the_number_must_reach_the_minimum(void **state) {
    (void)state;
    put("{\"quality\":0.85,\"runs\":[{\"n\":3}],\"text\":\"0.9\",\"yes\":true,\"small\":-1}");
    check("/quality", 0.85, true, "the evaluation's /quality is 0.85, at least 0.85");
    check("/quality", 0.8500001, false, "the evaluation's /quality is 0.85, below 0.8500001");
    check("/runs/0/n", 3, true, "is 3, at least 3");
    check("/small", -1, true, "is -1, at least -1");
    check("/small", 0, false, "is -1, below 0");
}

static void what_is_no_number_does_not_pass(void **state) {
    (void)state;
    put("{\"text\":\"0.9\",\"yes\":true,\"nil\":null,\"list\":[1]}");
    const char *pointers[] = {"/text", "/yes", "/nil", "/list", "/none", ""};
    for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
        check(pointers[i], -1000, false, "has no number at ");
    put("{\"quality\":0.9");
    check("/quality", 0.5, false, "is not JSON");
    put("");
    check("/quality", 0.5, false, "is not JSON");
    put("{\"quality\":NaN}");
    check("/quality", 0.5, false, "is not JSON");
}

static void it_is_read_each_time(void **state) {
    (void)state;
    unlink(path);
    check("/q", 1, false, "cannot be read: No such file or directory");
    put("{\"q\":0}");
    check("/q", 1, false, "is 0, below 1");
    put("{\"q\":1}");
    check("/q", 1, true, "is 1, at least 1");
}

// One that is no file, or endless, must not make the daemon wait or grow.
static void only_files_of_a_sane_size_are_read(void **state) {
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    check("/q", 0, false, "cannot be read: ");
    unlink(path);
    put("{\"q\":1}");
    assert_int_equal(truncate(path, 17 << 20), 0);
    check("/q", 0, false, "cannot be read: File too large");
    struct evaluation_config directory = {.file = "/", .json = "/q", .min = 0};
    char because[400];
    assert_false(evaluation_met(&directory, because, sizeof because));
    put("1");
}

static void put_baseline(char *baseline, size_t size, const char *text) {
    snprintf(baseline, size, "%s/baseline.json", folder);
    FILE *file = fopen(baseline, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void the_baseline_is_a_measure_too(void **state) {
    (void)state;
    char baseline[160], because[400];
    unlink(path);
    put("{\"q\":0.84}");
    put_baseline(baseline, sizeof baseline, "{\"q\":0.86}");
    struct evaluation_config evaluation = {
        .file = path, .json = "/q", .min = NAN, .baseline = baseline, .margin = 0.01};
    assert_false(evaluation_met(&evaluation, because, sizeof because));
    assert_string_equal(because,
                        "the evaluation's /q is 0.84, worse than the baseline's 0.86 by more than 0.01");
    evaluation.margin = 0.03;
    assert_true(evaluation_met(&evaluation, because, sizeof because));
    assert_string_equal(because,
                        "the evaluation's /q is 0.84, not worse than the baseline's 0.86 by more than 0.03");
    evaluation.min = 0.85;
    assert_false(evaluation_met(&evaluation, because, sizeof because));
    assert_string_equal(because, "the evaluation's /q is 0.84, below 0.85 but not worse than the baseline's "
                                 "0.86 by more than 0.03");
    evaluation.min = 0.8;
    evaluation.margin = 0;
    assert_false(evaluation_met(&evaluation, because, sizeof because));
    put_baseline(baseline, sizeof baseline, "{\"q\":0.84}");
    assert_true(evaluation_met(&evaluation, because, sizeof because));
    assert_string_equal(because,
                        "the evaluation's /q is 0.84, at least 0.8 and not worse than the baseline's 0.84");
    put_baseline(baseline, sizeof baseline, "{\"q\":\"0.1\"}");
    assert_false(evaluation_met(&evaluation, because, sizeof because));
    assert_non_null(strstr(because, "the baseline's evaluation has no number at /q"));
    unlink(baseline);
    assert_false(evaluation_met(&evaluation, because, sizeof because));
    assert_non_null(strstr(because, "the baseline's evaluation"));
    assert_non_null(strstr(because, "cannot be read"));
}

int test_evaluation(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_must_reach_the_minimum),  cmocka_unit_test(the_baseline_is_a_measure_too),
        cmocka_unit_test(what_is_no_number_does_not_pass),    cmocka_unit_test(it_is_read_each_time),
        cmocka_unit_test(only_files_of_a_sane_size_are_read),
    };
    return cmocka_run_group_tests_name("evaluation", tests, make_folder, remove_folder);
}

#include "../../../src/app/panel.h"
#include "samples.h"
#include "unit.h"

#include <string.h>

static double progress_of(const char *state, double passed, double needed, double requests, double least) {
    char json[256];
    snprintf(json, sizeof json,
             "{\"state\":\"%s\",\"step\":0,\"state_seconds\":%g,\"step_requests\":%g,"
             "\"steps\":[{\"for_seconds\":%g,\"min_requests\":%g}]}",
             state, passed, requests, needed, least);
    json_t *rollout = json_loads(json, 0, NULL);
    assert_non_null(rollout);
    double progress = panel_progress(rollout);
    json_decref(rollout);
    return progress;
}

static void a_step_is_as_far_as_what_is_behind(void **state) {
    (void)state;
    assert_true(progress_of("step", 30, 60, 0, 0) == 0.5);
    assert_true(progress_of("step", 30, 60, 100, 400) == 0.25);
    assert_true(progress_of("step", 15, 60, 400, 400) == 0.25);
    assert_true(progress_of("step", 0, 0, 300, 400) == 0.75);
    assert_true(progress_of("step", 90, 60, 900, 400) == 1);
    assert_true(progress_of("step", 90, 0, 900, 0) < 0); // it waits for somebody, or for evidence only
    assert_true(progress_of("promoted", 90, 60, 0, 0) < 0);
}

static void assert_sparkline(const char *values, bool fine, const char *expected) {
    struct strbuf out = {0};
    json_t *json = json_loads(values, 0, NULL);
    assert_non_null(json);
    panel_sparkline(&out, json, fine);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
    json_decref(json);
}

static void a_sparkline_is_relative_to_its_greatest(void **state) {
    (void)state;
    assert_sparkline("[0, 1, 2, 3.5, 7]", true, "▁▂▃▅█");
    assert_sparkline("[0, 1, 2, 3.5, 7]", false, "_.-+#");
    assert_sparkline("[null, 0, 0]", true, " ▁▁");
    assert_sparkline("[]", true, "");
    // the newest of them
    assert_sparkline("[9,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", false,
                     "########################");
}

static void assert_fits(const char *text, unsigned columns, unsigned rows, const char *expected) {
    struct strbuf out = {0};
    panel_fit(&out, slice_of(text), columns, rows);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void lines_are_cut_to_the_terminal(void **state) {
    (void)state;
    assert_fits("one\ntwo\nthree\n", 80, 2, "one\ntwo\n");
    assert_fits("abcdef\nab\n", 4, 9, "abcd\nab\n");
    assert_fits("▁▂▃▄\n", 3, 9, "▁▂▃\n");                              // a character is as wide as it looks
    assert_fits("a\033[31mbc\033[0md\n", 2, 9, "a\033[31mb\033[0m\n"); // the colour ends although it is cut
    assert_fits("ab▁", 2, 9, "ab");
    assert_fits("", 2, 9, "");
}

static void it_shows_the_variants_and_the_rollout(void **state) {
    (void)state;
    struct strbuf out = {0};
    json_t *route =
        json_loads("{\"name\":\"chat\",\"variants\":["
                   "{\"name\":\"stable\",\"weight\":95,\"requests\":1000,\"errors\":10,\"per_second\":12.5,"
                   "\"latency_ms\":{\"p95\":402.4},\"ttft_ms\":{\"p50\":41}},"
                   "{\"name\":\"canary\",\"weight\":5,\"requests\":0,\"errors\":0,\"per_second\":0,"
                   "\"latency_ms\":{\"p95\":0},\"ttft_ms\":{\"p50\":0}}],"
                   "\"rollout\":" ROLLOUT("step", "none", "1", ",\"step_requests\":9") "}",
                   0, NULL);
    json_t *history = json_loads("{\"variants\":[{\"name\":\"stable\",\"per_second\":[1,7]}]}", 0, NULL);
    assert_true(route && history);
    panel_write(&out, route, history, false);
    assert_string_equal(
        strbuf_text(&out),
        "chat\n"
        "  stable         95 %                        .#     12.5/s  errors 1.00 %  p95 402 ms  ttft 41 ms\n"
        "  canary          5 %                                0.0/s  errors 0.00 %  p95 0 ms  ttft 0 ms\n"
        "    [....................] 2 %\n"
        "  canary canary v1.1: step 2 of 4 at 5 %  12.3 s of 10m\n"
        "    step 2 of 4\n"
        "    error_rate                   wait    failed requests: candidate 3 of 500\n");
    strbuf_free(&out);
    json_decref(route);
    json_decref(history);
}

int test_panel(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_as_far_as_what_is_behind),
        cmocka_unit_test(a_sparkline_is_relative_to_its_greatest),
        cmocka_unit_test(lines_are_cut_to_the_terminal),
        cmocka_unit_test(it_shows_the_variants_and_the_rollout),
    };
    return cmocka_run_group_tests_name("panel", tests, NULL, NULL);
}

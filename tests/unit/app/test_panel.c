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
    panel_sparkline(&out, json, PANEL_POINTS, fine);
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

#define VARIANTS                                                                                          \
    "\"variants\":[{\"name\":\"stable\",\"weight\":95,\"requests\":400,\"errors\":4,\"per_second\":12.5," \
    "\"latency_ms\":{\"p95\":402.4},\"ttft_ms\":{\"p50\":41}},"                                           \
    "{\"name\":\"canary\",\"weight\":5,\"requests\":0,\"errors\":0,\"per_second\":0,"                     \
    "\"latency_ms\":{\"p95\":0},\"ttft_ms\":{\"p50\":0}}]"

static void assert_panel(const char *route_json, unsigned columns, const char *expected) {
    struct strbuf out = {0};
    json_t *route = json_loads(route_json, 0, NULL);
    json_t *history = json_loads("{\"variants\":[{\"name\":\"stable\",\"per_second\":[1,7]}]}", 0, NULL);
    assert_true(route && history);
    panel_write(&out, route, history, &(struct panel_look){.columns = columns});
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
    json_decref(route);
    json_decref(history);
}

static void it_shows_the_variants_and_the_rollout(void **state) {
    (void)state;
    assert_panel(
        "{\"name\":\"chat\"," VARIANTS
        ",\"rollout\":" ROLLOUT("step", "none", "1", ",\"step_requests\":9") "}",
        100,
        "chat\n"
        "  stable         95 %                        .#     12.5/s  errors 1.00 %  p95 402 ms  ttft 41 ms\n"
        "  canary          5 %                                0.0/s  errors 0.00 %  p95 0 ms  ttft 0 ms\n"
        "    [....................] 2 %\n"
        "  canary canary v1.1: step 2 of 4 at 5 %  12.3 s of 10m\n"
        "    step 2 of 4\n"
        "    error_rate                   wait    failed requests: candidate 3 of 500\n");
}

static void a_narrow_terminal_gets_less_of_each(void **state) {
    static const struct {
        unsigned columns;
        const char *stable, *canary;
    } widths[] = {
        {97, "            .#     12.5/s  errors 1.00 %  p95 402 ms  ttft 41 ms",
         "                    0.0/s  errors 0.00 %  p95 0 ms  ttft 0 ms"},
        {85, "            .#     12.5/s  errors 1.00 %  p95 402 ms",
         "                    0.0/s  errors 0.00 %  p95 0 ms"},
        {73, "            .#     12.5/s  errors 1.00 %", "                    0.0/s  errors 0.00 %"},
        {60, "            .#  errors 1.00 %", "                errors 0.00 %"},
        {40, "  errors 1.00 %", "  errors 0.00 %"},
        {1, "  errors 1.00 %", "  errors 0.00 %"}, // it is cut where it is drawn
    };
    (void)state;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        char expected[256];
        snprintf(expected, sizeof expected,
                 "chat  weights set by hand\n  stable         95 %%%s\n  canary          5 %%%s\n",
                 widths[i].stable, widths[i].canary);
        assert_panel("{\"name\":\"chat\",\"weights_from\":\"command\"," VARIANTS "}", widths[i].columns,
                     expected);
    }
}

int test_panel(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_as_far_as_what_is_behind),
        cmocka_unit_test(a_sparkline_is_relative_to_its_greatest),
        cmocka_unit_test(a_narrow_terminal_gets_less_of_each),
        cmocka_unit_test(it_shows_the_variants_and_the_rollout),
    };
    return cmocka_run_group_tests_name("panel", tests, NULL, NULL);
}

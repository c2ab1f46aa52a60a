#include "../../../src/app/report.h"
#include "../../../src/app/step_plan.h"
#include "samples.h"
#include "unit.h"

static void check(void (*write)(struct strbuf *out, const json_t *value), const char *json,
                  const char *said) {
    struct strbuf out = {0};
    json_t *value = json_loads(json, 0, NULL);
    assert_non_null(value);
    write(&out, value);
    assert_string_equal(strbuf_text(&out), said);
    strbuf_free(&out);
    json_decref(value);
}

#define REPORT(winner, more)                                                                                \
    "{\"route\":\"chat\",\"strategy\":\"ab\",\"state\":\"step\",\"goal\":" GUARD(                           \
        "quality", "wait",                                                                                  \
        "not shown yet") ",\"variants\":[{\"name\":\"a\",\"version\":\"v1\",\"weight\":50,\"requests\":"    \
                         "9000,"                                                                            \
                         "\"metrics\":[{\"name\":\"quality\",\"estimate\":0.812,\"low\":0.8,\"high\":0.82," \
                         "\"unit\":\"score\",\"count\":4000},{\"name\":\"latency_p95\",\"estimate\":1.5,"   \
                         "\"low\":null,\"high\":null,\"unit\":\"seconds\",\"count\":9000}]},{\"name\":"     \
                         "\"b\","                                                                           \
                         "\"version\":null,\"weight\":50,\"requests\":0,\"metrics\":[]}],\"comparisons\":[" \
                         "{\"metric\":\"quality\",\"better\":\"b\",\"than\":\"a\",\"difference\":0.03,"     \
                         "\"low\":0.01,\"high\":0.05,\"log10_e\":1,\"needed_log10_e\":2}],"                 \
                         "\"winner\":" winner "," more "}"
#define BODY                                                    \
    "chat  ab, step\n"                                          \
    "    quality                      wait    not shown yet\n"  \
    "  a v1 at 50 %: 9,000 requests\n"                          \
    "    quality              0.812  (0.8 to 0.82)  of 4,000\n" \
    "    latency_p95          1.50 s  of 9,000\n"               \
    "  b at 50 %: 0 requests\n"                                 \
    "comparisons\n"                                             \
    "  quality: b better than a by 0.03 (0.01 to 0.05); e-value 10 of the 100 that suffice\n"

static void a_report_says_how_much_longer(void **state) {
    (void)state;
    check(report_write, REPORT("null", "\"requests_left\":12000,\"seconds_left\":7800"),
          BODY "no winner yet; about 12,000 requests more, 2h 10m\n");
    check(report_write, REPORT("null", "\"requests_left\":null,\"seconds_left\":null"),
          BODY "no winner yet\n");
}

static void a_report_names_the_winner(void **state) {
    (void)state;
    check(report_write, REPORT("\"b\"", "\"requests_left\":null,\"seconds_left\":null"), BODY "winner: b\n");
}

static void a_candidate_is_held_against_its_baseline(void **state) {
    (void)state;
    check(report_write,
          "{\"route\":\"chat\",\"strategy\":\"canary\",\"state\":\"step\",\"variants\":[{\"name\":\"canary\","
          "\"weight\":5,\"requests\":1,\"metrics\":[{\"name\":\"error_rate\",\"unit\":\"share\",\"estimate\":"
          "null,\"count\":0}]}],\"comparisons\":[{\"metric\":\"error_rate\",\"of\":\"canary\",\"against\":"
          "\"stable\",\"verdict\":\"wait\",\"difference\":0.0014,\"low\":-0.001,\"high\":0.02,\"because\":"
          "\"not yet\"}],\"winner\":null,\"requests_left\":1200}",
          "chat  canary, step\n"
          "  canary at 5 %: 1 requests\n"
          "    error_rate           ?  of 0\n"
          "comparisons\n"
          "  error_rate: wait, canary minus stable 0.14 points (-0.10 to 2.00 points); not yet\n"
          "the guards cannot tell yet; about 1,200 requests more\n");
}

static void a_plan_names_what_each_step_detects(void **state) {
    (void)state;
    check(step_plan_write,
          "{\"route\":\"chat\",\"rps\":100,\"steps\":[{\"step\":0,\"weight\":1,\"guards\":[{\"name\":\"error_"
          "rate\","
          "\"detects\":\"an error rate of 1.5 % instead of 1 %\",\"requests\":4500,\"seconds\":450}],"
          "\"seconds\":450,\"configured_seconds\":300,\"warning\":\"for: 5m is "
          "shorter\"},{\"step\":1,\"weight\":null,\"guards\":[],"
          "\"seconds\":null,\"warning\":null}]}",
          "chat at 100 requests a second\n"
          "  step 1 at 1 %: 7m 30s (configured: 5m)\n"
          "    error_rate           an error rate of 1.5 % instead of 1 %: about 4,500 requests, 7m 30s\n"
          "    warning: for: 5m is shorter\n"
          "  step 2\n");
    check(step_plan_write, "{\"route\":\"chat\",\"rps\":0.5,\"steps\":[]}",
          "chat at 0.5 requests a second\n"
          "  no step gives the candidate a part of the traffic: there is nothing to plan\n");
}

int test_report(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_says_how_much_longer),
        cmocka_unit_test(a_report_names_the_winner),
        cmocka_unit_test(a_candidate_is_held_against_its_baseline),
        cmocka_unit_test(a_plan_names_what_each_step_detects),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}

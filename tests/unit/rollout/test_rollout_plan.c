// What the machine is told of a configuration, by strategy.
#include "base/strbuf.h"
#include "config/config.h"
#include "rollout/machine.h"
#include "unit.h"

static struct config *configure(const char *variants, const char *endpoints, const char *rollout) {
    struct strbuf text = {0};
    struct diagnostics diagnostics;
    strbuf_format(&text,
                  "listeners: [{address: '127.0.0.1:0'}]\n"
                  "pools: {blue: {endpoints: [%s]}}\n"
                  "routes:\n"
                  "  - name: chat\n"
                  "    variants: {%s}\n"
                  "    rollout: {%s}\n",
                  endpoints, variants, rollout);
    struct config *config = config_parse("test.yaml", strbuf_as_slice(&text), &diagnostics);
    for (size_t i = 0; !config && i < diagnostics.count; i++)
        print_error("%s\n", diagnostics.items[i].text);
    assert_non_null(config);
    strbuf_free(&text);
    return config;
}

#define TWO "stable: {pool: blue, weight: 95}, canary: {pool: blue, weight: 5}"
#define ONE "http://127.0.0.1:9000"

static struct rollout_plan plan_of(const char *variants, const char *endpoints, const char *rollout) {
    struct config *config = configure(variants, endpoints, rollout);
    struct rollout_plan plan;
    rollout_plan_read(&plan, &config->routes[0], &config->pools[0]);
    config_unref(config);
    return plan;
}

static void a_canary_has_its_steps(void **state) {
    (void)state;
    struct rollout_plan plan = plan_of(TWO, ONE,
                                       "strategy: canary, start: manual, watch: 10m, step_timeout: 1h, "
                                       "steps: [{weight: 5, for: 2m, min_requests: 100}, "
                                       "{pause: manual}, {weight: 100}]");
    assert_int_equal(plan.step_count, 3);
    assert_int_equal(plan.steps[0].weight, 500);
    assert_int_equal(plan.steps[0].duration_ms, 120000);
    assert_int_equal(plan.steps[0].min_requests, 100);
    assert_int_equal(plan.steps[1].weight, -1);
    assert_int_equal(plan.steps[2].weight, SHARE_WHOLE);
    assert_int_equal(plan.baseline, 0);
    assert_int_equal(plan.candidate, 1);
    assert_int_equal(plan.file_weights[0], 9500);
    assert_int_equal(plan.file_weights[1], 500);
    assert_false(plan.start_by_version || plan.gated || plan.hooked);
    assert_int_equal(plan.watch_ms, 600000);
    assert_int_equal(plan.step_timeout_ms, 3600000);
}

static void gates_and_hooks_are_known(void **state) {
    (void)state;
    struct rollout_plan plan = plan_of(TWO, ONE,
                                       "strategy: canary, steps: [{weight: 5}], "
                                       "before: {smoke_tests: [{request: {path: /health}}]}, "
                                       "hooks: {before_step: 'http://127.0.0.1:1/'}");
    assert_true(plan.gated && plan.hooked && plan.start_by_version);
    plan = plan_of(TWO, ONE,
                   "strategy: canary, steps: [{weight: 5}], "
                   "before: {evaluation: {file: scores.json, json: /score, min: 0.5}}");
    assert_true(plan.gated && !plan.hooked);
}

static void blue_green_switches_at_once_or_asks(void **state) {
    (void)state;
    const char *variants = "blue: {pool: blue, weight: 100}, green: {pool: blue, weight: 0}";
    struct rollout_plan plan = plan_of(variants, ONE, "strategy: blue_green, switch: auto");
    assert_int_equal(plan.step_count, 1);
    assert_int_equal(plan.steps[0].weight, SHARE_WHOLE);
    plan = plan_of(variants, ONE, "strategy: blue_green, switch: manual");
    assert_int_equal(plan.step_count, 2);
    assert_int_equal(plan.steps[0].weight, -1);
    assert_int_equal(plan.steps[1].weight, SHARE_WHOLE);
}

// The last batch may be smaller; another list, order or size of a batch is another update.
static void rolling_goes_by_batches(void **state) {
    (void)state;
    const char *one = "only: {pool: blue, weight: 100}";
    const char *three = "'http://127.0.0.1:1', 'http://127.0.0.1:2', 'http://127.0.0.1:3'";
    const char *moved = "'http://127.0.0.1:2', 'http://127.0.0.1:1', 'http://127.0.0.1:3'";
    const char *by_two = "strategy: rolling, batch: 2, update: 'http://127.0.0.1:9/'";
    struct rollout_plan plan = plan_of(one, three, by_two), again = plan_of(one, three, by_two);
    assert_int_equal(plan.step_count, 2);
    assert_true(plan.members == again.members);
    assert_true(plan.members != plan_of(one, moved, by_two).members);
    struct rollout_plan by_one = plan_of(one, three, "strategy: rolling, update: 'http://127.0.0.1:9/'");
    assert_int_equal(by_one.step_count, 3);
    assert_true(plan.members != by_one.members);
}

static void an_ab_test_keeps_the_weights(void **state) {
    (void)state;
    struct rollout_plan plan = plan_of("a: {pool: blue, weight: 50}, b: {pool: blue, weight: 50}", ONE,
                                       "strategy: ab, goal: {metric: quality, direction: up}, "
                                       "on_winner: hold, max_duration: 14d");
    assert_int_equal(plan.step_count, 1);
    assert_int_equal(plan.steps[0].weight, 0);
    assert_int_equal(plan.on_winner, ON_WINNER_HOLD);
    assert_int_equal(plan.max_duration_ms, INT64_C(14) * 86400000);
}

int test_rollout_plan(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_canary_has_its_steps),
        cmocka_unit_test(gates_and_hooks_are_known),
        cmocka_unit_test(blue_green_switches_at_once_or_asks),
        cmocka_unit_test(rolling_goes_by_batches),
        cmocka_unit_test(an_ab_test_keeps_the_weights),
    };
    return cmocka_run_group_tests_name("rollout_plan", tests, NULL, NULL);
}

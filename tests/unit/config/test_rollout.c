// What a rollout may ask for, and what is refused of it.
#include "config/rollout.h"
#include "load.h"
#include "unit.h"

#include <stdio.h>

#define BEFORE              \
    HEAD "routes:\n"        \
         "  - name: chat\n" \
         "    variants: {a: {pool: blue, weight: 50}, b: {pool: green, weight: 50}}\n"
#define CANARY BEFORE "    rollout: {strategy: canary, steps: [{weight: 100}], "
#define AB     BEFORE "    rollout: {strategy: ab, "

// `first`, then `count` times `each` with its number for %d and a comma between, then `last`.
static char *list(const char *first, const char *each, int count, const char *last) {
    static char text[16384];
    size_t len = (size_t)snprintf(text, sizeof text, "%s", first);
    for (int i = 1; i <= count; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", i > 1 ? ", " : "");
        // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): of this file
        len += (size_t)snprintf(text + len, sizeof text - len, each, i);
    }
    snprintf(text + len, sizeof text - len, "%s", last);
    return text;
}

static void accept(const char *text) {
    config_unref(load_text(text));
}

static void steps_are_bounded(void **state) {
    (void)state;
    static const char first[] = BEFORE "    rollout: {strategy: canary, steps: [", last[] = "]}\n";
    accept(list(first, "{weight: %d}", ROLLOUT_STEPS_MOST, last));
    refuse_text(list(first, "{weight: %d}", ROLLOUT_STEPS_MOST + 1, last),
                ":8:40: a rollout may have 64 steps, not 65\n");
}

// What the workers keep for it bounds what one rollout can judge: with two candidates half as much of each.
static void metrics_are_bounded(void **state) {
    (void)state;
    static const char two[] = CANARY "guards: {", signals[] = CANARY "guards: {x: {}}, signals: {";
    static const char three[] = HEAD "routes:\n  - name: chat\n    variants: {a: {pool: blue, weight: 50}, "
                                     "b: {pool: green, weight: 50}, c: {pool: green, weight: 0}}\n"
                                     "    rollout: {strategy: ab, goal: {metric: quality}, guards: {";
    accept(list(two, "g%d: {}", 32, "}}\n"));
    refuse_text(list(two, "g%d: {}", 33, "}}\n"),
                ":8:14: a rollout may have 32 guards, signals and limits, not 33\n");
    accept(list(signals, "g%d: {}", 30, "}, limits: {error_rate: 5}}\n"));
    refuse_text(list(signals, "g%d: {}", 31, "}, limits: {error_rate: 5}}\n"),
                ":8:14: a rollout may have 32 guards, signals and limits, not 33\n");
    accept(list(three, "g%d: {}", 16, "}}\n"));
    refuse_text(
        list(three, "g%d: {}", 17, "}}\n"),
        ":8:14: a rollout may have 32 guards, signals and limits, those of each candidate counted, not 34\n");
}

#define SIX "latency_p50: {}, latency_p95: {}, latency_p99: {}, ttft_p50: {}, ttft_p95: {}, ttft_p99: {}"
static void latencies_are_bounded(void **state) {
    (void)state;
    accept(CANARY "guards: {" SIX "}, signals: {ttft_p50: {}}, limits: {latency_p95: 1s}}\n");
    refuse_text(CANARY "guards: {" SIX
                       "}, signals: {ttft_p50: {}}, limits: {latency_p95: 1s, latency_p50: 1s}}\n",
                ":8:14: guards, signals, limits and the goal together may name 8 latencies, not 9\n");
    accept(AB "goal: {metric: ttft_p95}, guards: {" SIX "}, signals: {ttft_p50: {}}}\n");
    refuse_text(AB "goal: {metric: ttft_p95}, guards: {" SIX "}, signals: {ttft_p50: {}, ttft_p95: {}}}\n",
                ":8:14: guards, signals, limits and the goal together may name 8 latencies, not 9\n");
}

static void less_is_better_of_errors_times_and_costs(void **state) {
    (void)state;
    static const struct {
        const char *goal;
        enum goal_direction direction;
    } cases[] = {
        {"metric: error_rate", GOAL_DOWN},
        {"metric: error_rate, direction: down", GOAL_DOWN},
        {"metric: latency_p95", GOAL_DOWN},
        {"metric: ttft_p50", GOAL_DOWN},
        {"metric: cost_per_request", GOAL_DOWN},
        {"metric: cost_per_request, direction: up", GOAL_UP}, // somebody's revenue
        {"metric: tokens_per_second", GOAL_UP},
        {"metric: quality", GOAL_UP},
        {"metric: complaints, direction: down", GOAL_DOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 HEAD "routes:\n  - name: chat\n    variants:\n"
                      "      a: {pool: blue, weight: 50, price: {input: 1, output: 2}}\n"
                      "      b: {pool: green, weight: 50, price: {input: 1, output: 2}}\n"
                      "    rollout: {strategy: ab, goal: {%s}}\n",
                 cases[i].goal);
        struct config *config = load_text(text);
        if (config->routes[0].rollout->goal->direction != cases[i].direction)
            fail_msg("%s", cases[i].goal);
        config_unref(config);
    }
    refuse_text(AB "goal: {metric: ttft_p50, direction: up}}\n",
                ":8:65: more of `ttft_p50` is never better (write `direction: down`)\n");
    refuse_text(AB "goal: {metric: error_rate, direction: sideways}}\n",
                ":8:67: `direction` must be up or down, not \"sideways\"\n");
    refuse_text(AB "goal: {metric: latency_p95, margin: 2}}\n",
                ":8:65: a goal that is a latency takes no `margin`: all variants are held against one "
                "threshold\n");
}

static void limits_are_shares_and_times(void **state) {
    (void)state;
    static const char not_a_limit[] = "(`prometheus` guards have a `max` of their own)\n";
    static const struct {
        const char *limit, *said, *hint;
    } cases[] = {
        {"error_rate: 0", ":8:66: `error_rate` must be above 0 and below 100\n", ""},
        {"error_rate: -1", ":8:66: `error_rate` must be above 0 and below 100\n", ""},
        {"error_rate: 100", ":8:66: `error_rate` must be above 0 and below 100\n", ""},
        {"latency_p95: 0s", ":8:66: `latency_p95` must be above 0\n", ""},
        {"error_rate: [1]", ":8:78: `error_rate` must be a number, not a list\n", ""},
        {"latency_p42: 1s",
         ":8:66: `limits` takes error_rate, latency_p50|p95|p99 and ttft_p50|p95|p99, not `latency_p42` ",
         not_a_limit},
        {"tokens_per_second: 1",
         ":8:66: `limits` takes error_rate, latency_p50|p95|p99 and ttft_p50|p95|p99, not "
         "`tokens_per_second` ",
         not_a_limit},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], said[256];
        snprintf(text, sizeof text, CANARY "limits: {%s}}\n", cases[i].limit);
        snprintf(said, sizeof said, "%s%s", cases[i].said, cases[i].hint);
        refuse_text(text, said);
    }
    struct config *config = load_text(CANARY "limits: {error_rate: 99.5, ttft_p99: 1ms}}\n");
    const struct rollout_config *rollout = config->routes[0].rollout;
    assert_true(rollout->limits[0].amount == 0.995);
    assert_true(rollout->limits[1].amount == 1000);
    config_unref(config);
    refuse_text(CANARY "limits: 3}\n", ":8:65: `limits` must be a mapping, not \"3\"\n");
}

static void a_rollback_has_two_forms(void **state) {
    (void)state;
    static const char wrong[] = ":8:67: `rollback` must be `instant` or {over: DURATION}, not ";
    static const struct {
        const char *form;
        int64_t over;
        const char *said;
    } cases[] = {
        {"instant", 0, NULL},
        {"{over: 90s}", 90000, NULL},
        {"slowly", 0, "\"slowly\"\n"},
        {"[instant]", 0, "a list\n"},
        {"{under: 3s}", 0, "a mapping\n"},
        {"{over: 3s, more: 1}", 0, "a mapping\n"},
        {"{}", 0, "a mapping\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024], said[256];
        snprintf(text, sizeof text, CANARY "rollback: %s}\n", cases[i].form);
        if (cases[i].said) {
            snprintf(said, sizeof said, "%s%s", wrong, cases[i].said);
            refuse_text(text, said);
            continue;
        }
        struct config *config = load_text(text);
        assert_int_equal(config->routes[0].rollout->rollback_over, cases[i].over);
        config_unref(config);
    }
    refuse_text(CANARY "rollback: {over: soon}}\n",
                ":8:74: `over` must be a duration such as 30s, not \"soon\"\n");
    refuse_text(CANARY "rollback: {over: [30s]}}\n",
                ":8:74: `over` must be a duration such as 30s, not a list\n");
}

int test_rollout(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_bounded),
        cmocka_unit_test(metrics_are_bounded),
        cmocka_unit_test(latencies_are_bounded),
        cmocka_unit_test(less_is_better_of_errors_times_and_costs),
        cmocka_unit_test(limits_are_shares_and_times),
        cmocka_unit_test(a_rollback_has_two_forms),
    };
    return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}

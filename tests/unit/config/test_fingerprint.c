// Which files have the same rollout: pairs that differ by one edit.
#include "load.h"
#include "unit.h"

#include <stdlib.h>

// One canary that uses every kind of value, one test and one update; the rest of the file is in HEAD.
#define CANARY                                                                                               \
    HEAD                                                                                                     \
        "routes:\n"                                                                                          \
        "  - name: chat\n"                                                                                   \
        "    variants:\n"                                                                                    \
        "      stable: {pool: blue, weight: 90, version: v1}\n"                                              \
        "      canary: {pool: green, weight: 10, version: v2}\n"                                             \
        "    rollout:\n"                                                                                     \
        "      strategy: canary\n"                                                                           \
        "      before:\n"                                                                                    \
        "        smoke_tests:\n"                                                                             \
        "          - request: {path: /try, headers: {X-A: one, X-B: two}, body: hello}\n"                    \
        "            expect: {status: [200, 204], json: {/a: 1, /b: two}, latency: 500ms}\n"                 \
        "        evaluation: {file: eval.json, json: /score, min: 0.8}\n"                                    \
        "      steps: [{weight: 5, for: 10m, min_requests: 300}, {pause: manual}, {weight: 50, for: 1h}]\n"  \
        "      guards: {error_rate: {margin: 0.5}, ttft_p95: {margin: 20}}\n"                                \
        "      signals: {busy: {max: 3, prometheus: {url: http://p/, query: up}}}\n"                         \
        "      dry_run: [ttft_p95]\n"                                                                        \
        "      limits: {error_rate: 5, latency_p99: 10s}\n"                                                  \
        "      rollback: {over: 30s}\n"                                                                      \
        "      hooks: {before_step: http://h/before, on_promote: http://h/up, on_rollback: http://h/down}\n" \
        "      notify: [{url: http://n/, format: slack}]\n"
#define TEST                                                                                               \
    HEAD "routes:\n"                                                                                       \
         "  - name: chat\n"                                                                                \
         "    variants: {a: {pool: blue, weight: 50}, b: {pool: green, weight: 30}, c: {pool: green, "     \
         "weight: 20}}\n"                                                                                  \
         "    rollout: {strategy: ab, goal: {metric: quality, margin: 0.1}, max_duration: 7d, on_winner: " \
         "promote}\n"
#define UPDATE                                              \
    HEAD "routes:\n"                                        \
         "  - name: chat\n"                                 \
         "    variants: {all: {pool: blue, version: v1}}\n" \
         "    rollout: {strategy: rolling, update: http://u/, batch: 2}\n"

struct edit {
    const char *from, *to;
};

static uint64_t print_at(const char *path, const char *text) {
    struct diagnostics diagnostics;
    struct strbuf said = {0};
    struct config *config = config_parse(path, slice_of(text), &diagnostics);
    diagnostics_write(&diagnostics, "", &said);
    if (!config)
        fail_msg("%s%s", strbuf_text(&said), text);
    uint64_t print = config->routes[0].fingerprint;
    diagnostics_free(&diagnostics);
    strbuf_free(&said);
    config_unref(config);
    return print;
}

static uint64_t print_of(const char *text) {
    return print_at("/etc/sluice/sluice.yaml", text);
}

static uint64_t print_with(const char *text, const struct edit *edit) {
    struct strbuf edited = {0};
    const char *at = strstr(text, edit->from);
    if (!at)
        fail_msg("%s is not there", edit->from);
    strbuf_append(&edited, text, (size_t)(at - text));
    strbuf_string(&edited, edit->to);
    strbuf_string(&edited, at + strlen(edit->from));
    uint64_t print = print_of(strbuf_text(&edited));
    strbuf_free(&edited);
    return print;
}

static void what_makes_no_difference(void **state) {
    (void)state;
    static const struct edit edits[] = {
        {"      strategy: canary\n", "\n      # a comment\n      strategy:   'canary' # another\n"},
        {"weight: 5, for: 10m, min_requests: 300", "min_requests: 300, for: 600s, weight: 5.00"},
        {"{margin: 0.5}", "{margin: 0.50}"},
        {"{margin: 20}", "{margin: \"20.0\"}"},
        {"      dry_run: [ttft_p95]\n", "      dry_run:\n        - \"ttft_p95\"\n"},
        {"latency_p99: 10s", "latency_p99: 10000ms"},
        {"X-A: one, X-B: two", "X-B: two, X-A: one"},
        {"/a: 1, /b: two", "/b: \"two\", /a: 1"},
        {"      strategy: canary\n",
         "      candidate: canary\n      baseline: stable\n      strategy: canary\n"},
        {"      strategy: canary\n", "      strategy: canary\n      confidence: 95\n      start: auto\n"},
        {"      strategy: canary\n", "      strategy: canary\n      control: no\n      watch: 600s\n"},
        {"version: v2", "version: '${SLUICE_TEST_VERSION}'"},
        {"pool: green", "pool: blue"},
        {"http://127.0.0.1:1", "http://10.0.0.1:80"},
        {"name: chat", "name: talk"},
        {"name: chat", "name: chat\n    sticky: {by: [header X-User]}"},
        {"routes:\n", "workers: 3\nroutes:\n"},
    };
    setenv("SLUICE_TEST_VERSION", "v2", 1);
    uint64_t print = print_of(CANARY);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        if (print_with(CANARY, &edits[i]) != print)
            fail_msg("%s instead of %s makes a difference", edits[i].to, edits[i].from);
    }
    assert_true(print_at("/home/other/x.yaml", CANARY) == print); // eval.json is of each file's folder
}

// Each must differ from the unedited one, and all of them from each other.
static void differ(const char *text, const struct edit *edits, size_t count) {
    uint64_t prints[64] = {print_of(text)};
    assert_true(count < 64);
    for (size_t i = 0; i < count; i++) {
        prints[i + 1] = print_with(text, &edits[i]);
        for (size_t k = 0; k <= i; k++)
            if (prints[k] == prints[i + 1])
                fail_msg("%s instead of %s makes no difference", edits[i].to, edits[i].from);
    }
}

static void what_a_canary_is_told_by(void **state) {
    (void)state;
    static const char strategy[] = "      strategy: canary\n";
    static const struct edit edits[] = {
        {"version: v1", "version: v0"},
        {"version: v2", "version: v3"},
        {", version: v2", ""},
        {"weight: 90, version: v1}\n      canary: {pool: green, weight: 10",
         "weight: 91, version: v1}\n      canary: {pool: green, weight: 9"},
        {"      canary: {", "      other: {"},
        {"      canary: {pool: green, weight: 10, version: v2}\n    rollout:\n", // another order
         "      other: {pool: blue, weight: 0}\n      canary: {pool: green, weight: 10, version: v2}\n"
         "    rollout:\n      candidate: canary\n"},
        {"    rollout:\n", "      other: {pool: blue, weight: 0}\n    rollout:\n      candidate: canary\n"},
        {"    rollout:\n", "      other: {pool: blue, weight: 0}\n    rollout:\n      candidate: other\n"},
        {strategy, "      strategy: canary\n      baseline: canary\n      candidate: stable\n"},
        {strategy, "      strategy: canary\n      start: manual\n"},
        {strategy, "      strategy: canary\n      control: true\n"},
        {strategy, "      strategy: canary\n      confidence: 99\n"},
        {strategy, "      strategy: canary\n      horizon: 31s\n"},
        {strategy, "      strategy: canary\n      inconclusive: promote\n"},
        {strategy, "      strategy: canary\n      step_timeout: 1h\n"},
        {strategy, "      strategy: canary\n      keep_warm: 11m\n"},
        {strategy, "      strategy: canary\n      watch: 11m\n"},
        {"path: /try", "path: /other"},
        {"path: /try", "method: POST, path: /try"},
        {"X-A: one, X-B: two", "X-A: two, X-B: one"},
        {"body: hello", "body: hullo"},
        {"[200, 204]", "[200]"},
        {"/a: 1", "/a: \"1\""},
        {"latency: 500ms", "latency: 501ms"},
        {"eval.json", "/etc/eval.json"},
        {"json: /score", "json: /other"},
        {"min: 0.8", "min: 0.81"},
        {"min: 0.8", "baseline: old.json"},
        {"for: 10m", "for: 11m"},
        {"weight: 5,", "weight: 5.01,"},
        {"min_requests: 300", "min_requests: 301"},
        {"{pause: manual}, {weight: 50, for: 1h}", "{weight: 50, for: 1h}, {pause: manual}"},
        {", {pause: manual}", ""},
        {"margin: 0.5", "margin: 0.51"},
        {"error_rate: {margin: 0.5}, ", ""},
        {"error_rate: {margin: 0.5}, ttft_p95: {margin: 20}",
         "ttft_p95: {margin: 20}, error_rate: {margin: 0.5}"},
        {"error_rate: {margin: 0.5}", "error_rate: {margin: 0.5}, quality: {}"},
        {"max: 3", "max: 4"},
        {"max: 3", "max: 3, margin: 3"},
        {"query: up", "query: down"},
        {"url: http://p/", "url: http://q/"},
        {"[ttft_p95]", "all"},
        {"[ttft_p95]", "[]"},
        {"error_rate: 5,", "error_rate: 6,"},
        {"latency_p99: 10s", "latency_p95: 10s"},
        {"latency_p99: 10s", "latency_p99: 11s"},
        {"{over: 30s}", "instant"},
        {"http://h/before", "http://h/other"},
        {", on_promote: http://h/up", ""},
        {"http://h/down", "http://h/other"},
        {"format: slack", "format: json"},
    };
    differ(CANARY, edits, sizeof edits / sizeof *edits);
}

static void what_other_strategies_are_told_by(void **state) {
    (void)state;
    static const struct edit test[] = {
        {"metric: quality", "metric: complaints"},
        {"metric: quality", "direction: down, metric: quality"},
        {"margin: 0.1", "margin: 0.2"},
        {"7d", "8d"},
        {"on_winner: promote", "on_winner: hold"},
        {"b: {pool: green, weight: 30}, c: {pool: green, weight: 20}",
         "c: {pool: green, weight: 20}, b: {pool: green, weight: 30}"}, // arms are told by their index
    };
    static const struct edit update[] = {{"batch: 2", "batch: 3"},
                                         {"http://u/", "http://v/"},
                                         {"version: v1", "version: v2"},
                                         {"all:", "every:"}};
    static const struct edit switches[] = {
        {"strategy: canary, steps: [{weight: 100}]", "strategy: blue_green"},
        {"strategy: canary, steps: [{weight: 100}]", "strategy: blue_green, switch: manual"},
        {"strategy: canary, steps: [{weight: 100}]", "strategy: ab, goal: {metric: quality}"},
    };
    differ(TEST, test, sizeof test / sizeof *test);
    differ(UPDATE, update, sizeof update / sizeof *update);
    differ(HEAD "routes: [{name: a, variants: {a: {pool: blue, weight: 90}, b: {pool: green, weight: 10}}, "
                "rollout: {strategy: canary, steps: [{weight: 100}]}}]\n",
           switches, sizeof switches / sizeof *switches);
}

static void without_a_rollout_it_is_none(void **state) {
    (void)state;
    assert_true(print_of(HEAD ROUTES) == 0);
}

// A number that another build has to find too, on whatever machine. When a key is added it is another one:
// then members of another version hold until all have the same.
static void it_is_the_same_everywhere(void **state) {
    (void)state;
    assert_int_equal(print_of(CANARY), 0xd50431beda4004e2);
}

int test_fingerprint(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_makes_no_difference),          cmocka_unit_test(what_a_canary_is_told_by),
        cmocka_unit_test(what_other_strategies_are_told_by), cmocka_unit_test(without_a_rollout_it_is_none),
        cmocka_unit_test(it_is_the_same_everywhere),
    };
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}

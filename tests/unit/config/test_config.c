// What is derived: salts, baselines, inherited time-outs, look-ups, availability; references; large files.
#include "load.h"
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

static void assert_salt(const char *rest_of_route, const char *salt, size_t baseline) {
    struct strbuf text = {0};
    strbuf_format(&text, HEAD "routes:\n  - name: chat\n%s", rest_of_route);
    struct config *config = load_text(strbuf_text(&text));
    assert_string_equal(config->routes[0].sticky.salt, salt);
    assert_int_equal(config->routes[0].baseline, baseline);
    config_unref(config);
    strbuf_free(&text);
}

#define ROLLOUT(baseline) "    rollout: {strategy: canary, baseline: " baseline ", steps: [{weight: 5}]}\n"

static void salts_and_baselines(void **state) {
    (void)state;
    static const char two[] = "    variants: {s: {pool: blue, weight: 95, version: v1.0}, "
                              "c: {pool: green, weight: 5, version: v1.1}}\n";
    static const char reversed[] = "    variants: {c: {pool: green, weight: 5, version: v1.1}, "
                                   "s: {pool: blue, weight: 95, version: v1.0}}\n" ROLLOUT("s");
    assert_salt("    variants: {all: {pool: blue}}\n", "chat", 0);
    assert_salt("    variants: {all: {pool: blue, version: v9}}\n", "chat",
                0); // the baseline's does not count
    assert_salt(two, "chat-v1.1", 0);
    assert_salt(reversed, "chat-v1.1", 1);
    assert_salt("    variants: {s: {pool: blue, weight: 50, version: v1}, c: {pool: green, weight: 50}, "
                "d: {pool: green, weight: 0, version: v2}}\n",
                "chat", 0); // only the first candidate's
    struct strbuf text = {0};
    strbuf_format(&text, "    sticky: {salt: mine}\n%s", two);
    assert_salt(strbuf_text(&text), "mine", 0);
    strbuf_free(&text);
}

// An experiment's name alone makes the salt, and the one rollout of it says who the baseline is for all.
static void experiments_link_routes(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD
        "routes:\n"
        "  - {name: a, match: {path: /a}, experiment: ranks, variants: {c: {pool: green, weight: 5, version: "
        "v2}, "
        "s: {pool: blue, weight: 95}}}\n"
        "  - {name: b, match: {path: /b}, experiment: ranks, variants: {c: {pool: blue, weight: 5, version: "
        "v7}, "
        "s: {pool: green, weight: 95}}, rollout: {strategy: canary, baseline: s, steps: [{weight: 5}]}}\n"
        "  - {name: d, match: {path: /d}, experiment: other, variants: {all: {pool: blue}}}\n"
        "  - {name: e, variants: {all: {pool: blue}}}\n");
    const struct route_config *routes = config->routes;
    assert_string_equal(routes[0].sticky.salt, "experiment/ranks");
    assert_string_equal(routes[1].sticky.salt, "experiment/ranks");
    assert_string_equal(routes[0].baggage, "sluice.ranks");
    assert_int_equal(routes[0].baseline, 1);
    assert_int_equal(routes[1].baseline, 1);
    assert_int_equal(routes[2].baseline, 0);
    assert_string_equal(routes[2].sticky.salt, "experiment/other");
    assert_null(routes[3].experiment);
    assert_null(routes[3].baggage);
    assert_string_equal(routes[3].sticky.salt, "e");
    assert_true(config_linked(&routes[0], &routes[1]));
    assert_true(config_linked(&routes[3], &routes[3]));
    assert_false(config_linked(&routes[0], &routes[2]));
    assert_false(config_linked(&routes[2], &routes[3]));
    config_unref(config);
}

static void timeouts_are_inherited(void **state) {
    (void)state;
    struct config *config = load_text(
        "listeners: [{address: 127.0.0.1:1}]\n"
        "timeouts: {client_header: 1s, client_idle: 2s, connect: 3s, first_byte: 4s, stream_idle: "
        "5s, total: 6s}\n"
        "pools: {blue: {endpoints: [http://a], timeouts: {connect: 30s, total: off, client_idle: 20s}}}\n"
        "routes:\n  - name: chat\n    variants: {all: {pool: blue}}\n"
        "    timeouts: {connect: 300s, first_byte: 400s, client_header: 9s, client_idle: 200s, stream_idle: "
        "off}\n");
    const struct route_config *route = &config->routes[0];
    const struct pool_config *pool = &config->pools[0];
    struct timeouts_config all = config_timeouts(config, route, pool),
                           of_route = config_timeouts(config, route, NULL),
                           global = config_timeouts(config, NULL, NULL);
    assert_int_equal(all.connect, 30000); // the pool's goes first
    assert_int_equal(all.first_byte, 400000);
    assert_int_equal(all.stream_idle, DURATION_OFF); // off is a value like others
    assert_int_equal(all.total, DURATION_OFF);
    assert_int_equal(all.client_idle, 20000);
    assert_int_equal(all.client_header, 1000); // no route is known when it runs
    assert_int_equal(of_route.connect, 300000);
    assert_int_equal(of_route.total, 6000);
    assert_int_equal(of_route.client_idle, 200000);
    assert_int_equal(global.connect, 3000);
    assert_int_equal(global.first_byte, 4000);
    config_unref(config);
}

static void look_ups(void **state) {
    (void)state;
    struct config *config =
        load_text(HEAD "routes:\n  - {name: a, match: {path: /a}, variants: {v: {pool: green}}}\n"
                       "  - {name: b, fallback: w, variants: {v: {pool: blue, weight: 50}, "
                       "w: {pool: green, weight: 50}}}\n");
    size_t index = 9;
    assert_ptr_equal(config_route(config, "b", &index), &config->routes[1]);
    assert_int_equal(index, 1);
    assert_null(config_route(config, "c", &index));
    assert_int_equal(index, 1);
    assert_ptr_equal(config_pool(config, "green", &index), &config->pools[1]);
    assert_ptr_equal(config_pool(config, "blue", NULL), &config->pools[0]);
    assert_null(config_pool(config, "red", NULL));
    assert_int_equal(config->routes[1].fallback_index, 1);
    assert_int_equal(config->routes[1].variants[1].pool_index, 1);
    assert_int_equal(config->routes[1].place.line, 7);
    config_unref(config);
}

static void references_keep_it(void **state) {
    (void)state;
    struct config *config = load_text(HEAD ROUTES);
    assert_ptr_equal(config_ref(config), config);
    config_unref(config);
    assert_string_equal(config->routes[0].name, "chat");
    config_unref(config);
    config_unref(NULL);
}

static void a_relative_path_is_made_absolute(void **state) {
    (void)state;
    struct diagnostics diagnostics;
    char folder[4096], expected[4200];
    assert_non_null(getcwd(folder, sizeof folder));
    struct config *config = config_parse("sub/f.yaml", slice_of("state_dir: s\n" HEAD ROUTES), &diagnostics);
    assert_non_null(config);
    snprintf(expected, sizeof expected, "%s/sub/s", folder);
    assert_string_equal(config->state_dir, expected);
    config_unref(config);
}

static void a_large_file_loads(void **state) {
    (void)state;
    struct strbuf text = {0};
    strbuf_string(&text, "listeners: [{address: 127.0.0.1:1}]\npools:\n");
    for (int i = 0; i < 1000; i++) {
        strbuf_format(&text, "  pool%d:\n    endpoints:\n", i);
        for (int k = 0; k < 10; k++)
            strbuf_format(&text, "      - http://10.0.%d.%d:8000\n", i % 256, k + i / 256 * 10);
    }
    strbuf_string(&text, "routes:\n");
    for (int i = 0; i < 1000; i++)
        strbuf_format(
            &text,
            "  - name: route%d\n    match: {path_prefix: /r%d/}\n    sticky: {by: [header X-User-Id]}\n"
            "    variants:\n      stable: {pool: pool%d, weight: 95}\n      canary: {pool: pool%d, weight: "
            "5}\n",
            i, i, i, (i + 1) % 1000);
    struct config *config = load_text(strbuf_text(&text));
    assert_int_equal(config->pool_count, 1000);
    assert_int_equal(config->route_count, 1000);
    assert_int_equal(config->pools[999].endpoint_count, 10);
    assert_int_equal(config->routes[999].variants[1].pool_index, 0);
    config_unref(config);
    strbuf_free(&text);
}

int test_config(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(salts_and_baselines),    cmocka_unit_test(experiments_link_routes),
        cmocka_unit_test(timeouts_are_inherited), cmocka_unit_test(look_ups),
        cmocka_unit_test(references_keep_it),     cmocka_unit_test(a_relative_path_is_made_absolute),
        cmocka_unit_test(a_large_file_loads),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

// What values of the file become.
#include "config/rollout.h"
#include "load.h"
#include "unit.h"

static struct config *with_endpoints(const char *endpoints) {
    struct strbuf text = {0};
    strbuf_format(&text, "listeners: [{address: 127.0.0.1:1}]\npools: {blue: {endpoints: [%s]}}\n" ROUTES,
                  endpoints);
    struct config *config = load_text(strbuf_text(&text));
    strbuf_free(&text);
    return config;
}

static void endpoints(void **state) {
    (void)state;
    static const struct {
        const char *written, *url, *host;
        uint16_t port;
        bool tls;
    } cases[] = {
        {"http://a", "http://a", "a", 80, false},
        {"https://a", "https://a", "a", 443, true},
        {"http://a:8000", "http://a:8000", "a", 8000, false},
        {"https://a.b-c_d:1", "https://a.b-c_d:1", "a.b-c_d", 1, true},
        {"http://10.0.0.1:8000/", "http://10.0.0.1:8000", "10.0.0.1", 8000, false},
        {"\"http://[::1]:8000\"", "http://[::1]:8000", "::1", 8000, false},
        {"\"http://[2001:db8::1]/\"", "http://[2001:db8::1]", "2001:db8::1", 80, false},
        {"\"https://[::1]\"", "https://[::1]", "::1", 443, true},
        {"http://a:65535", "http://a:65535", "a", 65535, false},
        {"unix:/run/Model.sock", "unix:/run/Model.sock", "localhost", 80, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *config = with_endpoints(cases[i].written);
        const struct endpoint_config *endpoint = &config->pools[0].endpoints[0];
        assert_string_equal(endpoint->url, cases[i].url);
        assert_string_equal(endpoint->host, cases[i].host);
        assert_int_equal(endpoint->port, cases[i].port);
        assert_int_equal(endpoint->tls, cases[i].tls);
        if (strncmp(endpoint->url, "unix:", 5) == 0)
            assert_string_equal(endpoint->unix_path, endpoint->url + 5);
        else
            assert_null(endpoint->unix_path);
        assert_int_equal(endpoint->weight, 1);
        config_unref(config);
    }
}

static void endpoints_long_and_short(void **state) {
    (void)state;
    struct config *config = with_endpoints("http://a, {url: http://b/, weight: 3}, {url: http://c}");
    const struct pool_config *pool = &config->pools[0];
    assert_int_equal(pool->endpoint_count, 3);
    assert_int_equal(pool->endpoints[0].weight, 1);
    assert_int_equal(pool->endpoints[1].weight, 3);
    assert_string_equal(pool->endpoints[1].url, "http://b");
    assert_int_equal(pool->endpoints[2].weight, 1);
    assert_int_equal(pool->endpoints[2].place.line, 2);
    config_unref(config);
}

static void paths_are_relative_to_the_file(void **state) {
    (void)state;
    struct config *config = load_text(
        "listeners: [{address: 127.0.0.1:1, tls: {certificate: tls/c.pem, private_key: /etc/k.pem}}]\n"
        "state_dir: state\nadmin: {token_file: ../admin.token}\naccess_log: {path: \"-\"}\n"
        "pools: {blue: {endpoints: [http://a]}}\n" ROUTES);
    assert_string_equal(config->listeners[0].tls->main.certificate, TEST_DATA "/config/tls/c.pem");
    assert_string_equal(config->listeners[0].tls->main.private_key, "/etc/k.pem");
    assert_string_equal(config->state_dir, TEST_DATA "/config/state");
    assert_string_equal(config->admin.token_file, TEST_DATA "/config/../admin.token");
    assert_string_equal(config->access_log.path, "-");
    config_unref(config);
    config = load_text("access_log: {path: off}\n" HEAD ROUTES);
    assert_null(config->access_log.path);
    config_unref(config);
    config = load_text("access_log: {path: access.log}\n" HEAD ROUTES);
    assert_string_equal(config->access_log.path, TEST_DATA "/config/access.log");
    config_unref(config);
}

static void who_may_say_who_the_client_is(void **state) {
    (void)state;
    static const char *const expected[] = {"10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::1/128"};
    struct config *config =
        load_text("trusted_proxies: [10.0.0.0/8, 192.0.2.7, \"2001:db8::/32\", unix, \"::1\"]\n" HEAD ROUTES);
    assert_int_equal(config->trusted_proxies.count, 4);
    assert_true(config->trusted_proxies.local);
    for (size_t i = 0; i < 4; i++) {
        char text[NETWORK_TEXT];
        network_text(&config->trusted_proxies.items[i], text);
        assert_string_equal(text, expected[i]);
    }
    config_unref(config);
    config = load_text(HEAD ROUTES);
    assert_int_equal(config->trusted_proxies.count, 0);
    assert_false(config->trusted_proxies.local);
    config_unref(config);
}

static void modes_are_octal(void **state) {
    (void)state;
    struct config *config =
        load_text("listeners: [{address: \"unix:/a\"}, {address: \"unix:/b\", mode: 0600}, {address: "
                  "\"unix:/c\", mode: 666}, {address: \"127.0.0.1:1\"}]\n"
                  "pools: {blue: {endpoints: [http://a]}}\n" ROUTES);
    assert_int_equal(config->listeners[0].mode, 0660);
    assert_int_equal(config->listeners[1].mode, 0600);
    assert_int_equal(config->listeners[2].mode, 0666);
    config_unref(config);
}

static void json_values(void **state) {
    (void)state;
    static const char *const expected[][2] = {
        {"/a", "3"},      {"/b", "\"3\""},      {"/c", "true"},     {"/d", "\"true\""},
        {"/e", "null"},   {"/f", "null"},       {"/g", "\"null\""}, {"/h", "\"gpt\""},
        {"/i", "-0.5e3"}, {"/j", "\"01\""},     {"/k", "\"1.\""},   {"/l", "\"yes\""},
        {"/m", "\"\""},   {"/n", "\"a\\\"b\""}, {"/o", "\".5\""},   {"", "\"x\""},
    };
    struct config *config = load_text(
        HEAD
        "routes:\n  - name: chat\n    variants: {all: {pool: blue}}\n    match:\n      json:\n        /a: 3\n"
        "        /b: \"3\"\n        /c: true\n        /d: 'true'\n        /e: null\n        /f:\n        /g: "
        "'null'\n"
        "        /h: gpt\n        /i: -0.5e3\n        /j: 01\n        /k: 1.\n        /l: yes\n        /m: "
        "''\n"
        "        /n: a\"b\n        /o: .5\n        \"\": x\n");
    const struct pointer_list *json = &config->routes[0].match.json;
    assert_int_equal(json->count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < json->count; i++) {
        assert_string_equal(json->items[i].pointer, expected[i][0]);
        assert_string_equal(json->items[i].json, expected[i][1]);
    }
    config_unref(config);
}

static void units(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD "routes:\n  - name: chat\n    variants: {all: {pool: blue}}\n    sticky:\n      mode: session\n"
             "      cookie: c\n      by: [header X-User-Id, cookie s, jwt sub, query user, json /user/id, "
             "client_ip,\n"
             "           \"query  a b\"]\n");
    static const struct {
        enum unit_source kind;
        const char *name;
    } expected[] = {{UNIT_HEADER, "X-User-Id"}, {UNIT_COOKIE, "s"},      {UNIT_JWT, "sub"},
                    {UNIT_QUERY, "user"},       {UNIT_JSON, "/user/id"}, {UNIT_CLIENT_IP, NULL},
                    {UNIT_QUERY, "a b"}};
    const struct sticky_config *sticky = &config->routes[0].sticky;
    assert_int_equal(sticky->by_count, 7);
    assert_int_equal(sticky->mode, STICKY_SESSION);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(sticky->by[i].kind, expected[i].kind);
        if (expected[i].name)
            assert_string_equal(sticky->by[i].name, expected[i].name);
        else
            assert_null(sticky->by[i].name);
    }
    config_unref(config);
}

static void retries(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD "routes:\n  - name: chat\n    variants: {all: {pool: blue}}\n    retry:\n      attempts: 3\n"
             "      on: [reset_before_response, 503, refused_stream, 429, 599]\n      budget: 100\n");
    const struct retry_config *retry = config->routes[0].retry;
    assert_int_equal(retry->attempts, 3);
    assert_int_equal(retry->conditions, RETRY_REFUSED_STREAM | RETRY_RESET_BEFORE_RESPONSE);
    assert_int_equal(retry->code_count, 3);
    assert_int_equal(retry->codes[0], 503);
    assert_int_equal(retry->codes[1], 429);
    assert_int_equal(retry->codes[2], 599);
    assert_int_equal(retry->budget, 100);
    config_unref(config);
}

static void edits_and_conditions(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD "routes:\n  - name: chat\n"
             "    match: {host: \"*.example.com\", methods: [GET, POST], headers: {X-Tier: gold, X-Any: }}\n"
             "    variants:\n      all: {pool: blue, weight: 100%, request: {set_headers: {Host: h}, "
             "remove_headers: [X-Debug]}}\n");
    const struct match_config *match = &config->routes[0].match;
    assert_string_equal(match->host, "*.example.com");
    assert_int_equal(match->methods.count, 2);
    assert_string_equal(match->methods.items[1], "POST");
    assert_string_equal(match->headers.items[0].value, "gold");
    assert_string_equal(match->headers.items[1].name, "X-Any");
    assert_string_equal(match->headers.items[1].value, ""); // present is enough
    const struct request_edit_config *edit = config->routes[0].variants[0].request;
    assert_string_equal(edit->set_headers.items[0].value, "h");
    assert_string_equal(edit->remove_headers.items[0], "X-Debug");
    config_unref(config);
}

static void memory_for_requests(void **state) {
    (void)state;
    static const struct {
        const char *written;
        int64_t bytes;
    } cases[] = {{"off", INT64_MAX}, {"1MiB", 1 << 20}, {"3GiB", INT64_C(3) << 30}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0};
        strbuf_format(&text, "limits: {memory: %s}\n" HEAD ROUTES, cases[i].written);
        struct config *config = load_text(strbuf_text(&text));
        assert_int_equal(config->limits.memory, cases[i].bytes);
        config_unref(config);
        strbuf_free(&text);
    }
    struct config *config = load_text("limits: {memory: auto}\n" HEAD ROUTES);
    assert_in_range(config->limits.memory, 1 << 20, INT64_MAX - 1); // half of what this machine has
    config_unref(config);
    static const char *const wrong[] = {"1048575B", "much", "[1MiB]", "-1GiB"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct strbuf text = {0}, said = {0};
        strbuf_format(&text, "limits: {memory: %s}\n" HEAD ROUTES, wrong[i]);
        strbuf_format(&said, ":1:18: `memory` must be `auto`, `off` or a size from 1MiB, not %s%s%s\n",
                      *wrong[i] == '[' ? "" : "\"", *wrong[i] == '[' ? "a list" : wrong[i],
                      *wrong[i] == '[' ? "" : "\"");
        refuse_text(strbuf_text(&text), strbuf_text(&said));
        strbuf_free(&text);
        strbuf_free(&said);
    }
}

static void rollout_forms(void **state) {
    (void)state;
    struct config *config = load_text(
        HEAD
        "routes:\n  - name: chat\n    variants: {c: {pool: green, weight: 0}, s: {pool: blue, weight: 100}}\n"
        "    rollout:\n      strategy: canary\n      baseline: s\n      steps: [{weight: 0.5, for: 5m, "
        "min_requests: 300}]\n"
        "      rollback: {over: 30s}\n      dry_run: all\n      limits: {error_rate: 25, latency_p95: 10s}\n"
        "      guards: {refusals: {prometheus: {url: http://p, query: q}, max: 0.5}}\n");
    const struct rollout_config *rollout = config->routes[0].rollout;
    assert_int_equal(config->routes[0].baseline, 1);
    assert_int_equal(rollout->steps[0].weight, 50);
    assert_int_equal(rollout->steps[0].duration, 300000);
    assert_int_equal(rollout->steps[0].min_requests, 300);
    assert_int_equal(rollout->rollback_over, 30000);
    assert_int_equal(rollout->dry_run.count, 1);
    assert_string_equal(rollout->dry_run.items[0], "all");
    assert_int_equal(rollout->limit_count, 2);
    assert_string_equal(rollout->limits[1].name, "latency_p95");
    assert_string_equal(rollout->limits[1].value, "10s");
    assert_string_equal(rollout->guards[0].name, "refusals");
    assert_true(rollout->guards[0].max == 0.5);
    config_unref(config);
}

static void workers(void **state) {
    (void)state;
    struct config *config = load_text("workers: 7\n" HEAD ROUTES);
    assert_int_equal(config->workers, 7);
    config_unref(config);
}

int test_settle(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints),
        cmocka_unit_test(endpoints_long_and_short),
        cmocka_unit_test(paths_are_relative_to_the_file),
        cmocka_unit_test(who_may_say_who_the_client_is),
        cmocka_unit_test(modes_are_octal),
        cmocka_unit_test(json_values),
        cmocka_unit_test(units),
        cmocka_unit_test(retries),
        cmocka_unit_test(edits_and_conditions),
        cmocka_unit_test(memory_for_requests),
        cmocka_unit_test(rollout_forms),
        cmocka_unit_test(workers),
    };
    return cmocka_run_group_tests_name("settle", tests, NULL, NULL);
}

// What `sluice status` prints, without colours.
#include "../../../src/app/status_text.h"
#include "unit.h"

#include <string.h>

static void expect(void (*write)(struct strbuf *out, const json_t *json), const char *text,
                   const char *expected) {
    struct strbuf out = {0};
    json_error_t why;
    json_t *json = json_loads(text, 0, &why);
    if (!json)
        fail_msg("%s in %s", why.text, text);
    write(&out, json);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
    json_decref(json);
}

#define DAEMON(uptime, draining, listeners, last)                                                    \
    "{\"version\":\"1.2\",\"pid\":7,\"uptime_seconds\":" uptime ",\"workers\":2,\"connections\":31," \
    "\"draining\":" draining ",\"listeners\":[" listeners "],\"config\":{\"file\":\"s.yaml\","       \
    "\"loaded\":\"2026-11-23T05:35:24Z\",\"plan\":3,\"last_reload\":" last "}}"
#define LOADED "config s.yaml  loaded 2026-11-23T05:35:24Z  plan 3\n"

static void uptimes_have_two_units(void **state) {
    (void)state;
    static const struct {
        const char *seconds, *said;
    } cases[] = {
        {"0", "0m 0s"},      {"59.9", "0m 59s"},   {"61", "1m 1s"},
        {"3599", "59m 59s"}, {"3600", "1h 0m"},    {"86399", "23h 59m"},
        {"86400", "1d 0h"},  {"90061.5", "1d 1h"}, {"31536000", "365d 0h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0}, said = {0};
        strbuf_format(&text, DAEMON("%s", "false", "", "null"), cases[i].seconds);
        strbuf_format(&said, "sluice 1.2  pid 7  up %s  workers 2  connections 31\n" LOADED, cases[i].said);
        expect(status_text_daemon, strbuf_text(&text), strbuf_text(&said));
        strbuf_free(&text);
        strbuf_free(&said);
    }
}

static void a_daemon_says_what_is_unusual(void **state) {
    (void)state;
    expect(status_text_daemon,
           DAEMON("1", "true", "{\"address\":\"127.0.0.1:80\"},{\"address\":\"unix:/s\"}",
                  "{\"result\":\"success\"}"),
           "sluice 1.2  pid 7  up 0m 1s  workers 2  connections 31  DRAINING\n" LOADED
           "listening on 127.0.0.1:80, unix:/s\n");
    expect(status_text_daemon,
           DAEMON("1", "false", "",
                  "{\"result\":\"failure\",\"at\":\"06:00\",\"diagnostics\":[{\"text\":\"s.yaml:1:2: "
                  "\\u001b[2Jno\"}]}"),
           "sluice 1.2  pid 7  up 0m 1s  workers 2  connections 31\n" LOADED
           "the last reload failed at 06:00; the configuration before it runs on\n"
           "  s.yaml:1:2:  [2Jno\n"); // nothing steers the terminal
}

#define LATENCY "\"latency_ms\":{\"p50\":12.34,\"p95\":56.7},\"ttft_ms\":{\"p50\":8}"
static void a_route_is_a_table(void **state) {
    (void)state;
    expect(status_text_route,
           "{\"name\":\"chat\",\"salt\":\"s1\",\"weights_from\":\"command\",\"variants\":["
           "{\"name\":\"stable\",\"weight\":99.5,\"version\":\"a-version-that-is-long\",\"pool\":\"blue\","
           "\"requests\":0,"
           "\"errors\":0,\"per_second\":0," LATENCY "},"
           "{\"name\":\"canary-of-the-day\",\"weight\":0.5,\"version\":\"v2\",\"pool\":\"green\","
           "\"requests\":200,\"errors\":3,"
           "\"per_second\":1.25," LATENCY "}]}",
           "\nroute chat  salt s1  weights set by hand\n"
           "  variant            weight  version    pool           requests     req/s   errors    p50 ms    "
           "p95 ms   "
           "ttft ms\n"
           "  stable              99.5%  a-version- blue                  0       0.0    0.00%      12.3     "
           " 56.7       "
           "8.0\n"
           "  canary-of-the-day    0.5%  v2         green               200       1.2    1.50%      12.3     "
           " 56.7       "
           "8.0\n");
}

#define ENDPOINT(state, more) "{\"url\":\"http://a:1\",\"state\":\"" state "\",\"inflight\":2" more "}"
static void endpoints_say_why_they_rest(void **state) {
    (void)state;
    static const char beginning[] = "http://a:1                       in flight 2";
    static const struct {
        const char *endpoint, *state, *rest;
    } cases[] = {
        {ENDPOINT("ready", ""), "ready    ", ""},
        {ENDPOINT("ready", ",\"last_check\":{\"result\":\"ok\"}"), "ready    ", ""},
        {ENDPOINT("drained", ",\"last_check\":null"), "drained  ", ""},
        {ENDPOINT("updating", ",\"addresses\":[1]"), "updating ", ""},
        {ENDPOINT("ready", ",\"addresses\":[1,2,3]"), "ready    ", "  3 addresses"},
        {ENDPOINT("ready", ",\"back_off\":{\"for_seconds\":1.26}"), "ready    ", "  backing off for 1.3 s"},
        {ENDPOINT("unhealthy", ",\"back_off\":null,\"last_check\":{\"result\":\"timeout\"}"), "unhealthy",
         "  last check: timeout"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf text = {0}, said = {0};
        strbuf_format(&text, "{\"name\":\"blue\",\"balance\":\"p2c\",\"waiting\":%zu,\"endpoints\":[%s]}", i,
                      cases[i].endpoint);
        strbuf_literal(&said, "\npool blue  p2c");
        if (i)
            strbuf_format(&said, "  %zu waiting", i);
        strbuf_format(&said, "\n  %s %s%s\n", cases[i].state, beginning, cases[i].rest);
        expect(status_text_pool, strbuf_text(&text), strbuf_text(&said));
        strbuf_free(&text);
        strbuf_free(&said);
    }
}

static size_t lines_of(size_t endpoints, const char **last) {
    static char kept[128];
    struct strbuf text = {0}, out = {0};
    strbuf_literal(&text, "{\"name\":\"blue\",\"balance\":\"p2c\",\"endpoints\":[");
    for (size_t i = 0; i < endpoints; i++)
        strbuf_format(&text, "%s" ENDPOINT("ready", ""), i ? "," : "");
    strbuf_literal(&text, "]}");
    json_t *json = json_loads(strbuf_text(&text), 0, NULL);
    assert_non_null(json);
    status_text_pool(&out, json);
    size_t lines = 0, begin = 0;
    for (size_t i = 0; i + 1 < out.len; i++)
        if (out.at[i] == '\n') {
            lines++;
            begin = i + 1;
        }
    snprintf(kept, sizeof kept, "%s", strbuf_text(&out) + begin);
    *last = kept;
    json_decref(json);
    strbuf_free(&text);
    strbuf_free(&out);
    return lines - 1; // behind the name of the pool
}

static void a_large_pool_is_not_listed_whole(void **state) {
    (void)state;
    const char *last;
    assert_int_equal(lines_of(40, &last), 40);
    assert_null(strstr(last, "more"));
    assert_int_equal(lines_of(43, &last), 41);
    assert_string_equal(last, "  … 3 more (--json shows all)\n");
}

static void the_whole_is_its_parts(void **state) {
    (void)state;
    expect(status_text_whole,
           "{\"version\":\"1.2\",\"pid\":7,\"uptime_seconds\":1,\"workers\":2,\"connections\":31,\"config\":{"
           "\"file\":\"s.yaml\",\"loaded\":\"2026-11-23T05:35:24Z\",\"plan\":3},\"routes\":[{\"name\":\"r\","
           "\"salt\":"
           "\"s\",\"variants\":[]}],\"pools\":[{\"name\":\"p\",\"balance\":\"p2c\",\"endpoints\":[]}]}",
           "sluice 1.2  pid 7  up 0m 1s  workers 2  connections 31\n" LOADED "\nroute r  salt s\n"
           "  variant   weight  version    pool           requests     req/s   errors    p50 ms    p95 ms   "
           "ttft ms\n"
           "\npool p  p2c\n");
}

int test_status_text(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uptimes_have_two_units),
        cmocka_unit_test(a_daemon_says_what_is_unusual),
        cmocka_unit_test(a_route_is_a_table),
        cmocka_unit_test(endpoints_say_why_they_rest),
        cmocka_unit_test(a_large_pool_is_not_listed_whole),
        cmocka_unit_test(the_whole_is_its_parts),
    };
    return cmocka_run_group_tests_name("status_text", tests, NULL, NULL);
}

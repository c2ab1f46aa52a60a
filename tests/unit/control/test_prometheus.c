// prometheus_query, pure, and prometheus_poller against a peer that answers as Prometheus does.
#include "../../../src/control/prometheus_poller.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- the question

static void names_are_put_in(void **state) {
    (void)state;
    const char *cases[][2] = {
        {"sum(rate(refusals_total{variant=\"$variant\",route=\"$route\"}[5m]))",
         "sum(rate(refusals_total{variant=\"canary\",route=\"chat\"}[5m]))"},
        {"$variant$variant", "canarycanary"},
        {"$variants $variant_ $variant9 $Variant $", "$variants $variant_ $variant9 $Variant $"},
        {"a{x=~\"b$\"} - $variant", "a{x=~\"b$\"} - canary"},
        {"$$route", "$chat"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = {0};
        prometheus_expand(cases[i][0], "chat", "canary", &out);
        assert_string_equal(strbuf_text(&out), cases[i][1]);
        strbuf_free(&out);
    }
}

static void the_url_is_built(void **state) {
    (void)state;
    const char *cases[][3] = {
        {"http://prom:9090", "up", "http://prom:9090/api/v1/query?query=up"},
        {"http://prom:9090/", "up", "http://prom:9090/api/v1/query?query=up"},
        {"http://prom/prefix//", "up", "http://prom/prefix/api/v1/query?query=up"},
        {"http://prom/p?tenant=a", "up", "http://prom/p/api/v1/query?tenant=a&query=up"},
        {"http://prom?", "up", "http://prom/api/v1/query?query=up"},
        {"http://prom/#top", "up", "http://prom/api/v1/query?query=up"},
        {"http://prom", "a{b=\"c\"}[5m] + 1 & \xc3\xa9%",
         "http://prom/api/v1/query?query=a%7Bb%3D%22c%22%7D%5B5m%5D%20%2B%201%20%26%20%C3%A9%25"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = {0};
        prometheus_url(cases[i][0], slice_of(cases[i][1]), &out);
        assert_string_equal(strbuf_text(&out), cases[i][2]);
        strbuf_free(&out);
    }
}

// ---- the answer

#define SUCCESS(type, result) \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result "}}"
#define SAMPLE(text) "{\"metric\":{},\"value\":[1795412124.123,\"" text "\"]}"

static enum prometheus_outcome read_text(long status, const char *body, double *value, char *why) {
    struct fetch_answer answer = {.status = status};
    strbuf_string(&answer.body, body);
    enum prometheus_outcome outcome = prometheus_read(&answer, value, why);
    fetch_answer_free(&answer);
    return outcome;
}

static void one_number_is_a_value(void **state) {
    (void)state;
    const struct {
        const char *body;
        double want;
    } cases[] = {
        {SUCCESS("vector", "[" SAMPLE("0.25") "]"), 0.25},
        {SUCCESS("vector", "[" SAMPLE("-1e3") "]"), -1000},
        {SUCCESS("scalar", "[1795412124,\"7\"]"), 7},
        {"{\"status\":\"success\",\"infos\":[\"x might not be a counter\"],\"warnings\":[],\"data\":{"
         "\"resultType\":\"scalar\",\"result\":[1,\"0\"]}}",
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        char why[PROMETHEUS_WHY];
        assert_int_equal(read_text(200, cases[i].body, &value, why), PROMETHEUS_VALUE);
        assert_true(value == cases[i].want);
        assert_string_equal(why, "");
    }
}

static void an_empty_vector_is_no_data(void **state) {
    (void)state;
    double value = 1;
    char why[PROMETHEUS_WHY];
    assert_int_equal(read_text(200, SUCCESS("vector", "[]"), &value, why), PROMETHEUS_NO_DATA);
    assert_true(isnan(value));
}

static void everything_else_is_an_error_with_a_sentence(void **state) {
    (void)state;
    const struct {
        long status;
        const char *body, *words;
    } cases[] = {
        {200, SUCCESS("vector", "[" SAMPLE("1") "," SAMPLE("2") "]"), "gives 2 samples; one is wanted"},
        {200, SUCCESS("vector", "[" SAMPLE("NaN") "]"), "answered NaN"},
        {200, SUCCESS("scalar", "[1,\"+Inf\"]"), "answered +Inf"},
        {200, SUCCESS("scalar", "[1,\"-Inf\"]"), "answered -Inf"},
        {200, SUCCESS("scalar", "[1,\"1e999\"]"), "answered 1e999"},
        {200, SUCCESS("scalar", "[1,\"1x\"]"), "\"1x\", which is not a number"},
        {200, SUCCESS("scalar", "[1,\" 1\"]"), "a sample that is not one"},
        {200, SUCCESS("scalar", "[1,\"\"]"), "a sample that is not one"},
        {200, SUCCESS("scalar", "[1,1]"), "a sample that is not one"},
        {200, SUCCESS("scalar", "[1]"), "a sample that is not one"},
        {200, SUCCESS("scalar", "[1,\"1\",2]"), "a sample that is not one"},
        {200, SUCCESS("vector", "[{}]"), "a sample that is not one"},
        {200, SUCCESS("vector", "[3]"), "a sample that is not one"},
        {200, SUCCESS("matrix", "[]"), "gives a matrix"},
        {200, SUCCESS("string", "[1,\"x\"]"), "gives a string"},
        {200, SUCCESS("vector", "{}"), "no result"},
        {200, "{\"status\":\"success\"}", "no result"},
        {200, "{}", "refused the query: it does not say why"},
        {200, "[]", "did not answer in JSON"},
        {200, "", "did not answer in JSON"},
        {200, "<html>", "did not answer in JSON"},
        {200,
         "{\"status\":\"success\",\"warnings\":[\"a store is down\"],\"data\":{\"resultType\":\"scalar\","
         "\"result\":[1,\"1\"]}}",
         "warns: a store is down"},
        {400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error at char 3\"}",
         "refused the query: parse error at char 3"},
        {503, "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"1\"]}}",
         "refused the query"},
        {502, "bad gateway", "Prometheus answered 502"},
        {502, "{\"message\":\"x\"}", "Prometheus answered 502"},
        {302, "", "Prometheus answered 302"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = 1;
        char why[PROMETHEUS_WHY];
        enum prometheus_outcome outcome = read_text(cases[i].status, cases[i].body, &value, why);
        if (outcome != PROMETHEUS_ERROR || !isnan(value) || !strstr(why, cases[i].words))
            fail_msg("%s: %d %g %s", cases[i].body, outcome, value, why);
    }
}

static void any_bytes_are_an_answer(void **state) {
    (void)state;
    char body[] = SUCCESS("vector", "[" SAMPLE("0.25") "]");
    for (size_t at = 0; at + 1 < sizeof body; at++) // every byte changed, and cut there
        for (unsigned c = 0; c < 256; c += 5) {
            struct fetch_answer answer = {.status = 200};
            double value;
            char why[PROMETHEUS_WHY], kept = body[at];
            body[at] = (char)c;
            strbuf_append(&answer.body, body, c % 10 ? sizeof body - 1 : at + 1);
            body[at] = kept;
            enum prometheus_outcome outcome = prometheus_read(&answer, &value, why);
            assert_int_equal(outcome == PROMETHEUS_VALUE, !isnan(value));
            assert_int_equal(outcome == PROMETHEUS_ERROR, why[0] != '\0');
            fetch_answer_free(&answer);
        }
}

// ---- the poller

struct scene {
    struct event_base *base;
    struct fetcher *fetcher;
    struct peer peer;
    struct prometheus_poller *poller;
    unsigned told, errors;
    double baseline, candidate;
    char error[PROMETHEUS_WHY];
};

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    scene->fetcher = fetcher_new(scene->base, 4);
    peer_open(&scene->peer, scene->base);
    scene->peer.body = SUCCESS("scalar", "[1,\"1\"]");
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    prometheus_poller_free(scene->poller);
    fetcher_free(scene->fetcher);
    peer_close(&scene->peer);
    event_base_free(scene->base);
    mem_free(scene);
    return 0;
}

static void on_value(double baseline, double candidate, const char *error, void *context) {
    struct scene *scene = context;
    scene->told++;
    scene->baseline = baseline;
    scene->candidate = candidate;
    if (error) {
        scene->errors++;
        assert_true(isnan(baseline) && isnan(candidate));
        snprintf(scene->error, sizeof scene->error, "%s", error);
    }
}

static void poll(struct scene *scene, const char *baseline, int64_t interval_ms, int64_t timeout_ms,
                 int64_t stale_ms) {
    struct prometheus_poller_settings settings = {
        .url = scene->peer.url,
        .query = "rate(x{v=\"$variant\",r=\"$route\"}[1m])",
        .route = "chat",
        .candidate = "canary",
        .baseline = baseline,
        .user_agent = "unit",
        .interval_ms = interval_ms,
        .timeout_ms = timeout_ms,
        .stale_ms = stale_ms,
    };
    scene->poller = prometheus_poller_new(scene->base, scene->fetcher, &settings, on_value, scene);
    assert_int_equal(scene->told, 0);
}

static int by_variant(const struct peer_call *call, const char **body, void *context) {
    (void)context;
    *body = strstr(call->uri, "%22canary%22") ? SUCCESS("vector", "[" SAMPLE("0.5") "]")
                                              : SUCCESS("vector", "[" SAMPLE("0.25") "]");
    return 200;
}

static void both_variants_are_asked(void **state) {
    struct scene *scene = *state;
    scene->peer.answer = by_variant;
    poll(scene, "stable", 3600000, 5000, 3600000); // the first question comes at once
    peer_run_until(scene->base, &scene->told, 1);
    assert_true(scene->baseline == 0.25 && scene->candidate == 0.5);
    assert_int_equal(scene->peer.count, 2);
    assert_string_equal(scene->peer.calls[0].method, "GET");
    assert_string_equal(scene->peer.calls[0].uri,
                        "/api/v1/query?query=rate%28x%7Bv%3D%22stable%22%2Cr%3D%22chat%22%7D%5B1m%5D%29");
    assert_int_equal(scene->errors, 0);
}

static void it_asks_again_and_again(void **state) {
    struct scene *scene = *state;
    poll(scene, NULL, 5, 5000, 60000);
    peer_run_until(scene->base, &scene->told, 5);
    assert_true(isnan(scene->baseline) && scene->candidate == 1);
    assert_true(scene->peer.count >= 5);
    assert_int_equal(scene->errors, 0);
}

static int baseline_has_none(const struct peer_call *call, const char **body, void *context) {
    (void)context;
    *body = strstr(call->uri, "%22canary%22") ? SUCCESS("scalar", "[1,\"9\"]") : SUCCESS("vector", "[]");
    return 200;
}

static void without_a_baseline_there_is_nothing_to_compare(void **state) {
    struct scene *scene = *state;
    scene->peer.answer = baseline_has_none;
    poll(scene, "stable", 3600000, 5000, 60000);
    peer_run_until(scene->base, &scene->told, 1);
    assert_true(isnan(scene->baseline) && isnan(scene->candidate));
    assert_int_equal(scene->errors, 0);
}

static void the_first_failure_is_told_at_once(void **state) {
    struct scene *scene = *state;
    scene->peer.status = 500;
    scene->peer.body = "";
    poll(scene, NULL, 3600000, 5000, 3600000);
    peer_run_until(scene->base, &scene->told, 1);
    assert_string_equal(scene->error, "Prometheus answered 500");
}

static void a_good_answer_stands_in_for_failures_until_it_is_old(void **state) {
    struct scene *scene = *state;
    poll(scene, NULL, 5, 5000, 1000);
    peer_run_until(scene->base, &scene->told, 1);
    unsigned told = scene->told, asked = scene->peer.count;
    scene->peer.status = 500;
    scene->peer.body = "";
    peer_run_until(scene->base, &scene->errors, 1);
    assert_true(scene->peer.count > asked + 1); // several had failed by then
    assert_true(scene->told <= told + 2);       // and were not told
    assert_string_equal(scene->error, "Prometheus answered 500");
    peer_run_until(scene->base, &scene->errors, 3); // now each is
    scene->peer.status = 200;
    scene->peer.body = SUCCESS("scalar", "[1,\"3\"]");
    while (scene->candidate != 3)
        event_base_loop(scene->base, EVLOOP_ONCE);
}

// Nobody answers at all: it is told by the time the last answer is too old, and questions do not pile up.
static void silence_becomes_an_error(void **state) {
    struct scene *scene = *state;
    scene->peer.statuses[0] = 200;
    scene->peer.status = PEER_HOLD;
    poll(scene, NULL, 5, 60000, 50);
    peer_run_until(scene->base, &scene->peer.count, 2);
    peer_run_until(scene->base, &scene->errors, 1);
    assert_string_equal(scene->error, "Prometheus has not answered");
    assert_int_equal(scene->peer.count, 2);
}

static void a_time_out_is_an_error(void **state) {
    struct scene *scene = *state;
    scene->peer.status = PEER_HOLD;
    poll(scene, "stable", 3600000, 50, 60000);
    peer_run_until(scene->base, &scene->errors, 1);
    assert_non_null(strstr(scene->error, "Prometheus gave no answer: "));
    assert_int_equal(scene->told, 1); // one for both
}

static void freed_at_any_time(void **state) {
    struct scene *scene = *state;
    poll(scene, "stable", 5, 5000, 60000);
    prometheus_poller_free(scene->poller);
    scene->peer.status = PEER_HOLD;
    poll(scene, "stable", 5, 5000, 60000);
    peer_run_until(scene->base, &scene->peer.under_way, 2);
    prometheus_poller_free(scene->poller);
    prometheus_poller_free(NULL);
    scene->poller = NULL;
    peer_run_for(scene->base, 30);
    assert_int_equal(scene->told, 0);
    assert_int_equal(scene->peer.count, 2);
}

int test_prometheus(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_put_in),
        cmocka_unit_test(the_url_is_built),
        cmocka_unit_test(one_number_is_a_value),
        cmocka_unit_test(an_empty_vector_is_no_data),
        cmocka_unit_test(everything_else_is_an_error_with_a_sentence),
        cmocka_unit_test(any_bytes_are_an_answer),
        SCENE(both_variants_are_asked),
        SCENE(it_asks_again_and_again),
        SCENE(without_a_baseline_there_is_nothing_to_compare),
        SCENE(the_first_failure_is_told_at_once),
        SCENE(a_good_answer_stands_in_for_failures_until_it_is_old),
        SCENE(silence_becomes_an_error),
        SCENE(a_time_out_is_an_error),
        SCENE(freed_at_any_time),
    };
    return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}

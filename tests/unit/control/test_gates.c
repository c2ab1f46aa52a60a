// gates against a peer on loopback; several endpoints are several ways to write its address.
#include "../../../src/control/gates.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"
#include "upstream/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scene {
    struct event_base *base;
    struct fetcher *fetcher;
    struct peer peer, other;
    struct config *config;
    struct directory *directory;
    char evaluation[64];
    unsigned done;
    bool passed;
    char because[400];
};

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    scene->fetcher = fetcher_new(scene->base, 64);
    peer_open(&scene->peer, scene->base);
    peer_open(&scene->other, scene->base);
    snprintf(scene->evaluation, sizeof scene->evaluation, "/tmp/sluice-gates-XXXXXX");
    int fd = mkstemp(scene->evaluation);
    assert_true(fd >= 0);
    close(fd);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    fetcher_free(scene->fetcher);
    peer_close(&scene->peer);
    peer_close(&scene->other);
    if (scene->directory)
        directory_free(scene->directory);
    if (scene->config)
        config_unref(scene->config);
    event_base_free(scene->base);
    unlink(scene->evaluation);
    mem_free(scene);
    return 0;
}

// A route whose candidate's pool is `endpoints`, with `before`.
static void load(struct scene *scene, const char *endpoints, const char *before) {
    struct strbuf yaml = {0};
    struct diagnostics diagnostics = {0};
    struct error error;
    strbuf_format(
        &yaml,
        "listeners: [{address: 127.0.0.1:0}]\n"
        "pools:\n"
        "  blue: {endpoints: [http://127.0.0.1:1]}\n"
        "  green: {endpoints: [%s]}\n"
        "routes:\n"
        "  - name: chat\n"
        "    variants: {stable: {pool: blue, weight: 100}, canary: {pool: green, version: v2, weight: 0}}\n"
        "    rollout: {strategy: canary, before: {%s}, steps: [{weight: 100}]}\n",
        endpoints, before);
    scene->config = config_parse("/gates.yaml", strbuf_as_slice(&yaml), &diagnostics);
    if (!scene->config)
        fail_msg("%u:%u %s", diagnostics.items[0].place.line, diagnostics.items[0].place.column,
                 diagnostics.items[0].text);
    scene->directory = directory_new(1);
    struct directory_change *change = directory_prepare(scene->directory, scene->config, NULL, NULL, &error);
    assert_non_null(change);
    directory_commit(scene->directory, change);
    strbuf_free(&yaml);
}

static void on_done(bool passed, const char *because, void *context) {
    struct scene *scene = context;
    scene->done++;
    scene->passed = passed;
    snprintf(scene->because, sizeof scene->because, "%s", because);
}

static struct gates *begin(struct scene *scene) {
    struct gates_request request = {.config = scene->config,
                                    .pool = directory_find(scene->directory, "green"),
                                    .user_agent = "unit",
                                    .timeout_ms = 5000};
    return gates_run(scene->base, scene->fetcher, &request, on_done, scene);
}

static void run(struct scene *scene) {
    begin(scene);
    assert_int_equal(scene->done, 0); // never from inside
    peer_run_until(scene->base, &scene->done, 1);
}

static const char two_tests[] =
    "smoke_tests: [{request: {path: /health}, expect: {status: [200]}},"
    "{request: {method: POST, path: /v1/chat, headers: {Content-Type: application/json}, body: '{\"n\":1}'},"
    " expect: {json: {/ok: true}}}]";

static void both_endpoints(struct scene *scene, const char *before) {
    char endpoints[200];
    snprintf(endpoints, sizeof endpoints, "%s, %s", scene->peer.url, scene->other.url);
    load(scene, endpoints, before);
}

static void every_test_is_asked_at_every_endpoint(void **state) {
    struct scene *scene = *state;
    scene->peer.body = scene->other.body = "{\"ok\":true}";
    both_endpoints(scene, two_tests);
    run(scene);
    assert_string_equal(scene->because, "2 smoke tests passed at 2 endpoints");
    assert_true(scene->passed);
    assert_int_equal(scene->peer.count, 2);
    assert_int_equal(scene->other.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct peer_call *call = &scene->other.calls[i];
        bool post = strcmp(call->method, "POST") == 0;
        assert_string_equal(call->uri, post ? "/v1/chat" : "/health");
        assert_string_equal(call->body, post ? "{\"n\":1}" : "");
        assert_string_equal(call->type, post ? "application/json" : "-");
    }
}

static void the_first_failure_ends_them(void **state) {
    struct scene *scene = *state;
    char want[300];
    scene->peer.status = PEER_HOLD; // would wait for 5 s
    scene->other.body = "{\"ok\":false}";
    both_endpoints(scene, two_tests);
    run(scene);
    assert_false(scene->passed);
    snprintf(want, sizeof want, "smoke test 2 (POST /v1/chat) failed at %s: /ok in the body is not true",
             scene->other.url);
    assert_string_equal(scene->because, want);
    peer_run_for(scene->base, 20);
    assert_int_equal(scene->done, 1);
}

static void a_drained_endpoint_is_left_out(void **state) {
    struct scene *scene = *state;
    scene->peer.body = "{\"ok\":true}";
    scene->other.status = 500;
    both_endpoints(scene, two_tests);
    struct pool *pool = directory_find(scene->directory, "green");
    atomic_fetch_or(&pool->endpoints[1]->states, ENDPOINT_DRAINED);
    run(scene);
    assert_true(scene->passed);
    assert_string_equal(scene->because, "2 smoke tests passed at 1 endpoint");
    assert_int_equal(scene->other.count, 0);
    atomic_fetch_or(&pool->endpoints[0]->states, ENDPOINT_DRAINED);
    scene->done = 0;
    run(scene);
    assert_false(scene->passed);
    assert_non_null(strstr(scene->because, "all of the candidate's pool are drained"));
}

// One that is known to be ill is asked all the same: it must not be what the gate leaves out.
static void an_unhealthy_endpoint_is_asked(void **state) {
    struct scene *scene = *state;
    scene->other.status = 503;
    both_endpoints(scene, "smoke_tests: [{request: {path: /health}}]");
    atomic_fetch_or(&directory_find(scene->directory, "green")->endpoints[1]->states, ENDPOINT_UNHEALTHY);
    run(scene);
    assert_false(scene->passed);
    assert_non_null(strstr(scene->because, "status 503"));
}

static void a_name_is_where_the_endpoint_is(void **state) {
    struct scene *scene = *state;
    struct address_list *list;
    struct address address;
    struct error error;
    char text[64];
    load(scene, "http://127.0.0.1:2", "smoke_tests: [{request: {path: /health}}]");
    struct endpoint *endpoint = directory_find(scene->directory, "green")->endpoints[0];
    // As after a resolution: the URL has a name, the addresses are elsewhere.
    mem_free((char *)endpoint->url);
    mem_free((char *)endpoint->host);
    snprintf(text, sizeof text, "http://model.invalid:%u", scene->peer.port);
    endpoint->url = mem_copy_string(text);
    endpoint->host = mem_copy_string("model.invalid");
    snprintf(text, sizeof text, "127.0.0.1:%u", scene->peer.port);
    assert_true(address_parse(&address, text, &error));
    list = address_list_new(&address, 1);
    address_list_unref(endpoint->addresses);
    endpoint->addresses = list;
    run(scene);
    assert_string_equal(scene->because, "1 smoke test passed at 1 endpoint");
    snprintf(text, sizeof text, "model.invalid:%u", scene->peer.port);
    assert_string_equal(scene->peer.calls[0].host, text);
}

static void write_evaluation(const struct scene *scene, const char *text) {
    FILE *file = fopen(scene->evaluation, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void the_evaluation_comes_first(void **state) {
    struct scene *scene = *state;
    char before[400];
    snprintf(before, sizeof before,
             "smoke_tests: [{request: {path: /health}}], evaluation: {file: %s, json: /quality, min: 0.85}",
             scene->evaluation);
    both_endpoints(scene, before);
    write_evaluation(scene, "{\"quality\":0.8}");
    run(scene);
    assert_false(scene->passed);
    assert_string_equal(scene->because, "the evaluation's /quality is 0.8, below 0.85");
    assert_int_equal(scene->peer.count, 0); // nobody is asked what would not help
    write_evaluation(scene, "{\"quality\":0.9}");
    scene->done = 0;
    run(scene);
    assert_true(scene->passed);
    assert_string_equal(
        scene->because,
        "the evaluation's /quality is 0.9, at least 0.85; 1 smoke test passed at 2 endpoints");
}

static void without_gates_they_are_passed(void **state) {
    struct scene *scene = *state;
    both_endpoints(scene, "");
    run(scene);
    assert_true(scene->passed);
    assert_string_equal(scene->because, "there are no gates");
}

// Many tests at a model server are not asked all at once.
static void only_a_few_are_under_way(void **state) {
    struct scene *scene = *state;
    struct strbuf before = {0};
    strbuf_literal(&before, "smoke_tests: [");
    for (int i = 0; i < 20; i++)
        strbuf_format(&before, "%s{request: {path: /%d}}", i ? ", " : "", i);
    strbuf_literal(&before, "]");
    load(scene, scene->peer.url, strbuf_text(&before));
    strbuf_free(&before);
    scene->peer.status = PEER_HOLD;
    begin(scene);
    for (unsigned answered = 0; answered < 20;) {
        unsigned wanted = 20 - answered < 8 ? 20 - answered : 8;
        peer_run_until(scene->base, &scene->peer.under_way, wanted);
        peer_run_for(scene->base, 20); // were there more to come, they would be here
        assert_int_equal(scene->peer.under_way, wanted);
        assert_int_equal(scene->done, 0);
        peer_release(&scene->peer, 200);
        answered += wanted;
    }
    peer_run_until(scene->base, &scene->done, 1);
    assert_true(scene->passed);
    assert_int_equal(scene->peer.count, 20);
}

static void cancelled_at_any_time(void **state) {
    struct scene *scene = *state;
    both_endpoints(scene, two_tests);
    gates_cancel(begin(scene)); // before anything was asked
    scene->peer.status = scene->other.status = PEER_HOLD;
    struct gates *gates = begin(scene);
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    gates_cancel(gates);
    gates_cancel(NULL);
    // The configuration may go while they run.
    gates = begin(scene);
    config_unref(scene->config);
    scene->config = NULL;
    peer_run_until(scene->base, &scene->other.under_way, 3);
    gates_cancel(gates);
    peer_run_for(scene->base, 20);
    assert_int_equal(scene->done, 0);
}

int test_gates(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(every_test_is_asked_at_every_endpoint),
        SCENE(the_first_failure_ends_them),
        SCENE(a_drained_endpoint_is_left_out),
        SCENE(an_unhealthy_endpoint_is_asked),
        SCENE(a_name_is_where_the_endpoint_is),
        SCENE(the_evaluation_comes_first),
        SCENE(without_gates_they_are_passed),
        SCENE(only_a_few_are_under_way),
        SCENE(cancelled_at_any_time),
    };
    return cmocka_run_group_tests_name("gates", tests, NULL, NULL);
}

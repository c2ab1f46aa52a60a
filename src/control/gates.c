#include "gates.h"

#include "base/mem.h"
#include "config/rollout.h"
#include "endpoint_fetch.h"
#include "evaluation.h"
#include "expect.h"

#include <stdio.h>

#define AT_ONCE      8 // smoke tests under way: a model server is not to be flooded by them
#define BECAUSE_MOST 400

struct check { // one smoke test at one endpoint, under way
    struct gates *gates;
    struct fetch *fetch; // NULL: this place is free
    const struct smoke_test_config *test;
    const struct endpoint *endpoint;
};
struct gates {
    struct fetcher *fetcher;
    struct config *config; // with a reference
    const struct before_config *before;
    const struct pool_tls_config *tls;
    const char *user_agent;
    int64_t timeout_ms;
    struct endpoint **endpoints; // with references
    size_t endpoint_count;
    size_t next; // the next smoke test at the next endpoint, counted over all
    struct check checks[AT_ONCE];
    struct event *begin;
    char evaluated[BECAUSE_MOST]; // what the evaluation said
    void (*done)(bool passed, const char *because, void *context);
    void *context;
};

void gates_cancel(struct gates *gates) {
    if (!gates)
        return;
    for (size_t i = 0; i < AT_ONCE; i++)
        if (gates->checks[i].fetch)
            fetch_cancel(gates->checks[i].fetch);
    for (size_t i = 0; i < gates->endpoint_count; i++)
        endpoint_unref(gates->endpoints[i]);
    mem_free(gates->endpoints);
    event_free(gates->begin);
    config_unref(gates->config);
    mem_free(gates);
}

static void finish(struct gates *gates, bool passed, const char *because) {
    char copy[BECAUSE_MOST];
    void (*done)(bool, const char *, void *) = gates->done;
    void *context = gates->context;
    snprintf(copy, sizeof copy, "%s", because);
    gates_cancel(gates);
    done(passed, copy, context);
}

static void finish_passed(struct gates *gates) {
    size_t tests = gates->before->smoke_test_count, endpoints = gates->endpoint_count;
    struct strbuf because = {0};
    strbuf_string(&because, gates->evaluated);
    if (tests)
        strbuf_format(&because, "%s%zu smoke test%s passed at %zu endpoint%s", because.len ? "; " : "", tests,
                      tests == 1 ? "" : "s", endpoints, endpoints == 1 ? "" : "s");
    finish(gates, true, because.len ? strbuf_text(&because) : "there are no gates");
    strbuf_free(&because);
}

static void go_on(struct gates *gates);

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct check *check = context;
    struct gates *gates = check->gates;
    struct expect_answer seen = {.status = answer->status,
                                 .body = strbuf_as_slice(&answer->body),
                                 .truncated = answer->truncated,
                                 .error = answer->error,
                                 .took_ms = answer->took_ms};
    char why[200], because[BECAUSE_MOST];
    check->fetch = NULL;
    if (expect_met(&check->test->expect, &seen, why, sizeof why)) {
        go_on(gates);
        return;
    }
    const struct probe_request_config *request = &check->test->request;
    size_t path = strcspn(request->path, "?"); // a query may hold a key
    snprintf(because, sizeof because, "smoke test %zu (%s %.*s) failed at %.100s: %s",
             (size_t)(check->test - gates->before->smoke_tests) + 1,
             request->method ? request->method : "GET", (int)(path < 60 ? path : 60), request->path,
             check->endpoint->url, why);
    finish(gates, false, because);
}

static void ask(struct gates *gates, struct check *check) {
    size_t tests = gates->before->smoke_test_count;
    struct endpoint *endpoint = gates->endpoints[gates->next / tests];
    check->test = &gates->before->smoke_tests[gates->next % tests];
    check->endpoint = endpoint;
    struct endpoint_request wanted = {
        .endpoint = endpoint,
        .request = &check->test->request,
        .tls = gates->tls,
        .user_agent = gates->user_agent,
        .timeout_ms = gates->timeout_ms,
    };
    check->fetch = endpoint_fetch(gates->fetcher, &wanted, on_answer, check);
    gates->next++;
}

// Fills the free places; when nothing is left to ask and nothing under way, all were passed.
static void go_on(struct gates *gates) {
    size_t all = gates->before->smoke_test_count * gates->endpoint_count;
    bool asking = false;
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (!gates->checks[i].fetch && gates->next < all)
            ask(gates, &gates->checks[i]);
        asking = asking || gates->checks[i].fetch;
    }
    if (!asking)
        finish_passed(gates);
}

static void on_begin(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct gates *gates = context;
    const struct evaluation_config *evaluation = gates->before->evaluation;
    if (evaluation && !evaluation_met(evaluation, gates->evaluated, sizeof gates->evaluated))
        finish(gates, false, gates->evaluated);
    else if (gates->before->smoke_test_count && gates->endpoint_count == 0)
        finish(gates, false, "there is no endpoint to smoke-test: all of the candidate's pool are drained");
    else
        go_on(gates);
}

static void take_endpoints(struct gates *gates, const struct pool *pool) {
    gates->endpoints = mem_zero(pool->endpoint_count + 1, sizeof *gates->endpoints);
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (!(atomic_load(&pool->endpoints[i]->states) & (ENDPOINT_DRAINED | ENDPOINT_UPDATING)))
            gates->endpoints[gates->endpoint_count++] = endpoint_ref(pool->endpoints[i]);
}

struct gates *gates_run(struct event_base *base, struct fetcher *fetcher, const struct gates_request *request,
                        void (*done)(bool passed, const char *because, void *context), void *context) {
    static const struct timeval now = {0, 0};
    const struct route_config *route = &request->config->routes[request->route];
    struct gates *gates = mem_zero(1, sizeof *gates);
    gates->fetcher = fetcher;
    gates->config = config_ref(request->config);
    gates->before = &route->rollout->before;
    gates->tls = request->config->pools[route->variants[route->rollout->candidate_index].pool_index].tls;
    gates->user_agent = request->user_agent;
    gates->timeout_ms = request->timeout_ms ? request->timeout_ms : GATES_TIMEOUT_MS;
    gates->done = done;
    gates->context = context;
    for (size_t i = 0; i < AT_ONCE; i++)
        gates->checks[i].gates = gates;
    take_endpoints(gates, request->pool);
    gates->begin = event_new(base, -1, 0, on_begin, gates);
    must(gates->begin && event_add(gates->begin, &now) == 0);
    return gates;
}

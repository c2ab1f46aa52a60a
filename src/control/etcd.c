#include "etcd.h"

#include "base/mem.h"
#include "base/redact.h"
#include "base/secret.h"
#include "etcd_inside.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS  5000
#define ASK_MS      2000
#define MOST_ACTIVE 1024 // all that are started, as a rule: a keep-alive must not wait for its turn

struct etcd_call {
    struct link link;          // in etcd->calls
    struct etcd_waiter waiter; // for a token
    struct etcd *etcd;
    enum etcd_kind kind;
    bool repeatable; // may come twice
    bool renewed;    // the token was, for this call
    bool uncertain;  // a try may have been carried out
    struct strbuf body;
    struct fetch *fetch; // NULL: it waits for a token
    size_t endpoint;
    unsigned token;  // its serial
    unsigned faults; // endpoints that failed it
    void (*done)(const struct etcd_answer *answer, void *context);
    void *context;
};

// ---- endpoints

void etcd_leave(struct etcd *etcd, size_t endpoint) {
    if (endpoint == etcd->in_use)
        etcd->in_use = (endpoint + 1) % etcd->endpoint_count;
}

void etcd_explain(const struct etcd *etcd, size_t endpoint, const char *why, char text[ETCD_WHY]) {
    snprintf(text, ETCD_WHY, "%.150s: %s", etcd->endpoints[endpoint].name, why);
    if (etcd->password)
        redact_value(text, ETCD_WHY, "password", etcd->password);
    if (etcd->token.text)
        redact_value(text, ETCD_WHY, "token", etcd->token.text);
}

struct fetch *etcd_post(struct etcd *etcd, size_t endpoint, const char *path, struct fetch_request request,
                        void (*done)(const struct fetch_answer *answer, void *context), void *context) {
    struct header_config headers[4] = {{"Content-Type", "application/json"},
                                       {"Grpc-Metadata-hasleader", "true"}};
    struct header_list list = {headers, 2};
    struct strbuf url = {0};
    if (etcd->token.text && etcd->token.text[0])
        headers[list.count++] = (struct header_config){"Authorization", etcd->token.text};
    // Go's server reads a request's body to its end before it answers, unless the connection ends with it.
    if (request.open)
        headers[list.count++] = (struct header_config){"Connection", "close"};
    strbuf_string(&url, etcd->endpoints[endpoint].url);
    strbuf_string(&url, path);
    request.method = "POST";
    request.url = strbuf_text(&url);
    request.headers = &list;
    request.user_agent = etcd->user_agent;
    request.tls = etcd->tls;
    request.timeout_ms = etcd->timeout_ms;
    struct fetch *fetch = fetch_start(etcd->fetcher, &request, done, context);
    strbuf_free(&url);
    return fetch;
}

// ---- calls

static void call_free(struct etcd_call *call) {
    if (call->fetch)
        fetch_cancel(call->fetch);
    list_remove(&call->link);
    list_remove(&call->waiter.link);
    strbuf_free(&call->body);
    mem_free(call);
}

static void finish(struct etcd_call *call, const struct etcd_answer *answer) {
    void (*done)(const struct etcd_answer *, void *) = call->done;
    void *context = call->context;
    call_free(call);
    done(answer, context);
}

static bool read_answer(struct etcd_call *call, const struct fetch_answer *answer, struct arena *arena,
                        struct etcd_answer *read, struct etcd_verdict *verdict) {
    struct slice body = strbuf_as_slice(&answer->body);
    struct etcd_refusal refusal;
    if (!verdict->good)
        return call->kind == ETCD_CALL_REVOKE && verdict->refused && answer->status == 404;
    if (etcd_json_answer(call->kind, body, arena, read))
        return true;
    if (etcd_json_refusal(body, arena, &refusal)) // a stream that failed after its status was sent
        *verdict = etcd_verdict_refusal(&refusal);
    else
        *verdict = (struct etcd_verdict){.fault = true, .why = "answered what etcd does not answer"};
    return false;
}

static bool try_again(struct etcd_call *call, const struct etcd_verdict *verdict) {
    struct etcd *etcd = call->etcd;
    if (verdict->stale_token) {
        bool renew = etcd->username && !call->renewed;
        etcd_token_reject(etcd, call->token);
        call->renewed = true;
        return renew;
    }
    if (!verdict->fault)
        return false;
    etcd_leave(etcd, call->endpoint);
    return (call->repeatable || verdict->no_effect) && ++call->faults < etcd->endpoint_count;
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct etcd_call *call = context;
    struct etcd *etcd = call->etcd;
    struct etcd_answer read = {0};
    struct arena arena;
    arena_init(&arena, 4096);
    struct etcd_verdict verdict = etcd_verdict(answer, &arena);
    call->fetch = NULL;
    if (read_answer(call, answer, &arena, &read, &verdict)) {
        finish(call, &read);
    } else {
        char why[ETCD_WHY];
        call->uncertain |= !verdict.no_effect;
        etcd_explain(etcd, call->endpoint, verdict.why, why); // while the token is there, which must not show
        if (try_again(call, &verdict))
            etcd_token_await(etcd, &call->waiter);
        else
            finish(call, &(struct etcd_answer){.error = why,
                                               .no_effect = !call->uncertain,
                                               .refused = verdict.refused,
                                               .too_large = verdict.too_large});
    }
    arena_free(&arena);
}

// What may not come twice has a connection of its own (include/control/fetch.h).
static void on_token(struct etcd_waiter *waiter, const char *error) {
    static const char *const paths[] = {
        [ETCD_CALL_GRANT] = "/v3/lease/grant",   [ETCD_CALL_KEEP_ALIVE] = "/v3/lease/keepalive",
        [ETCD_CALL_REVOKE] = "/v3/lease/revoke", [ETCD_CALL_RANGE] = "/v3/kv/range",
        [ETCD_CALL_TXN] = "/v3/kv/txn",
    };
    struct etcd_call *call = list_entry(waiter, struct etcd_call, waiter);
    struct etcd *etcd = call->etcd;
    if (error) {
        finish(call, &(struct etcd_answer){.error = error, .no_effect = !call->uncertain});
        return;
    }
    call->endpoint = etcd->in_use;
    call->token = etcd->token.serial;
    struct fetch_request request = {
        .body = strbuf_as_slice(&call->body),
        .most_body = ETCD_ANSWER_BYTES,
        .fresh = !call->repeatable,
    };
    call->fetch = etcd_post(etcd, call->endpoint, paths[call->kind], request, on_answer, call);
}

static struct etcd_call *call_start(struct etcd *etcd, enum etcd_kind kind, bool repeatable,
                                    struct strbuf take_body,
                                    void (*done)(const struct etcd_answer *answer, void *context),
                                    void *context) {
    struct etcd_call *call = mem_zero(1, sizeof *call);
    call->etcd = etcd;
    call->kind = kind;
    call->repeatable = repeatable;
    call->body = take_body;
    call->done = done;
    call->context = context;
    call->waiter.ready = on_token;
    list_push(&etcd->calls, &call->link);
    etcd_token_await(etcd, &call->waiter);
    return call;
}

struct etcd_call *etcd_grant(struct etcd *etcd, int64_t ttl_s,
                             void (*done)(const struct etcd_answer *answer, void *context), void *context) {
    struct strbuf body = {0};
    etcd_json_grant(ttl_s, &body);
    return call_start(etcd, ETCD_CALL_GRANT, false, body, done, context);
}

struct etcd_call *etcd_keep_alive(struct etcd *etcd, int64_t lease,
                                  void (*done)(const struct etcd_answer *answer, void *context),
                                  void *context) {
    struct strbuf body = {0};
    etcd_json_lease(lease, &body);
    return call_start(etcd, ETCD_CALL_KEEP_ALIVE, true, body, done, context);
}

struct etcd_call *etcd_revoke(struct etcd *etcd, int64_t lease,
                              void (*done)(const struct etcd_answer *answer, void *context), void *context) {
    struct strbuf body = {0};
    etcd_json_lease(lease, &body);
    return call_start(etcd, ETCD_CALL_REVOKE, true, body, done, context);
}

struct etcd_call *etcd_range(struct etcd *etcd, const struct etcd_range *range,
                             void (*done)(const struct etcd_answer *answer, void *context), void *context) {
    struct strbuf body = {0};
    etcd_json_range(range, &body);
    return call_start(etcd, ETCD_CALL_RANGE, true, body, done, context);
}

static bool only_reads(const struct etcd_operation *at, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (at[i].verb != ETCD_RANGE)
            return false;
    return true;
}

struct etcd_call *etcd_txn(struct etcd *etcd, const struct etcd_txn *txn,
                           void (*done)(const struct etcd_answer *answer, void *context), void *context) {
    struct strbuf body = {0};
    bool reads = only_reads(txn->then, txn->then_count) && only_reads(txn->otherwise, txn->otherwise_count);
    etcd_json_txn(txn, &body);
    return call_start(etcd, ETCD_CALL_TXN, reads, body, done, context);
}

void etcd_cancel(struct etcd_call *call) {
    call_free(call);
}

// ---- life

static void copy_endpoints(struct etcd *etcd, const struct etcd_settings *settings) {
    struct strbuf text = {0};
    must(settings->endpoint_count > 0);
    etcd->endpoint_count = settings->endpoint_count;
    etcd->endpoints = mem_zero(etcd->endpoint_count, sizeof *etcd->endpoints);
    for (size_t i = 0; i < etcd->endpoint_count; i++) {
        struct slice url = slice_of(settings->endpoints[i]);
        while (url.len && url.at[url.len - 1] == '/')
            url.len--;
        strbuf_clear(&text);
        strbuf_slice(&text, url);
        etcd->endpoints[i].url = mem_copy_string(strbuf_text(&text));
        strbuf_clear(&text);
        redact_url(url, &text);
        etcd->endpoints[i].name = mem_copy_string(strbuf_text(&text));
    }
    strbuf_free(&text);
}

static struct pool_tls_config *copy_tls(const struct pool_tls_config *tls) {
    struct pool_tls_config *copy = mem_zero(1, sizeof *copy);
    copy->ca = mem_copy_string(tls->ca);
    copy->certificate = mem_copy_string(tls->certificate);
    copy->private_key = mem_copy_string(tls->private_key);
    copy->verify = tls->verify;
    return copy;
}

static void free_tls(struct pool_tls_config *tls) {
    if (!tls)
        return;
    mem_free((char *)tls->ca);
    mem_free((char *)tls->certificate);
    mem_free((char *)tls->private_key);
    mem_free(tls);
}

struct etcd *etcd_new(struct event_base *base, const struct etcd_settings *settings) {
    struct etcd *etcd = mem_zero(1, sizeof *etcd);
    etcd->base = base;
    etcd->fetcher = fetcher_new(base, MOST_ACTIVE);
    copy_endpoints(etcd, settings);
    etcd->tls = settings->tls ? copy_tls(settings->tls) : NULL;
    etcd->username = mem_copy_string(settings->username);
    etcd->password = mem_copy_string(settings->password ? settings->password : "");
    etcd->user_agent = mem_copy_string(settings->user_agent);
    etcd->timeout_ms = settings->timeout_ms ? settings->timeout_ms : TIMEOUT_MS;
    etcd->ask_ms = settings->ask_ms ? settings->ask_ms : ASK_MS;
    list_init(&etcd->calls);
    list_init(&etcd->watches);
    etcd_token_init(etcd);
    return etcd;
}

void etcd_free(struct etcd *etcd) {
    if (!etcd)
        return;
    etcd_watch_free_all(etcd);
    while (!list_empty(&etcd->calls))
        call_free(list_entry(etcd->calls.next, struct etcd_call, link));
    fetcher_free(etcd->fetcher); // cancels the token's
    etcd_token_free(etcd);
    for (size_t i = 0; i < etcd->endpoint_count; i++) {
        mem_free(etcd->endpoints[i].url);
        mem_free(etcd->endpoints[i].name);
    }
    mem_free(etcd->endpoints);
    free_tls(etcd->tls);
    mem_free(etcd->username);
    secret_free(etcd->password);
    mem_free(etcd->user_agent);
    mem_free(etcd);
}

#include "base/mem.h"
#include "base/secret.h"
#include "etcd_inside.h"

// A list that is not the token's any more: who is told starts new requests, which wait for the next one.
static void tell(struct etcd *etcd, const char *error) {
    struct link told, *link;
    list_init(&told);
    while ((link = list_pop(&etcd->token.waiting)) != NULL)
        list_push(&told, link);
    while ((link = list_pop(&told)) != NULL) {
        struct etcd_waiter *waiter = list_entry(link, struct etcd_waiter, link);
        waiter->ready(waiter, error);
    }
}

static void take(struct etcd *etcd, const char *text) {
    etcd->token.text = mem_copy_string(text);
    etcd->token.serial++;
    tell(etcd, NULL);
}

static void fetch_token(struct etcd *etcd);

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct etcd *etcd = context;
    struct etcd_token *token = &etcd->token;
    struct arena arena;
    const char *text;
    char why[ETCD_WHY];
    arena_init(&arena, 1024);
    struct etcd_verdict verdict = etcd_verdict(answer, &arena);
    token->fetch = NULL;
    if (verdict.good && etcd_json_token(strbuf_as_slice(&answer->body), &arena, &text)) {
        take(etcd, text);
    } else if (verdict.refused && strstr(verdict.why, "authentication is not enabled")) {
        take(etcd, "");
    } else {
        if (verdict.good)
            verdict = (struct etcd_verdict){.fault = true, .why = "answered without a token"};
        if (verdict.fault)
            etcd_leave(etcd, token->endpoint);
        etcd_explain(etcd, token->endpoint, verdict.why, why);
        if (verdict.fault && ++token->faults < etcd->endpoint_count && !list_empty(&token->waiting))
            fetch_token(etcd);
        else
            tell(etcd, why);
    }
    arena_free(&arena);
}

static void fetch_token(struct etcd *etcd) {
    struct strbuf body = {0};
    etcd_json_authenticate(etcd->username, etcd->password, &body);
    etcd->token.endpoint = etcd->in_use;
    struct fetch_request request = {.body = strbuf_as_slice(&body), .most_body = ETCD_ANSWER_BYTES};
    etcd->token.fetch = etcd_post(etcd, etcd->in_use, "/v3/auth/authenticate", request, on_answer, etcd);
    secret_free((char *)strbuf_text(&body)); // no NUL in JSON: all of it
}

void etcd_token_await(struct etcd *etcd, struct etcd_waiter *waiter) {
    if (etcd->token.text) {
        waiter->ready(waiter, NULL);
        return;
    }
    list_push(&etcd->token.waiting, &waiter->link);
    if (etcd->token.fetch)
        return;
    etcd->token.faults = 0;
    fetch_token(etcd);
}

void etcd_token_reject(struct etcd *etcd, unsigned serial) {
    if (!etcd->username || !etcd->token.text || serial != etcd->token.serial)
        return;
    secret_free(etcd->token.text);
    etcd->token.text = NULL;
}

void etcd_token_init(struct etcd *etcd) {
    list_init(&etcd->token.waiting);
    etcd->token.text = etcd->username ? NULL : mem_copy_string("");
}

void etcd_token_free(struct etcd *etcd) {
    secret_free(etcd->token.text);
}

// etcd_inside: what the parts of the client share (calls, token, watches).
#pragma once
#include "base/list.h"
#include "control/fetch.h"
#include "etcd.h"
#include "etcd_verdict.h"

#define ETCD_ANSWER_BYTES (1u << 20)

struct etcd_endpoint {
    char *url;  // without a slash at its end
    char *name; // as errors may have it
};
struct etcd_waiter { // for a token
    struct link link;
    void (*ready)(struct etcd_waiter *waiter, const char *error); // NULL: there is one
};
struct etcd_token {
    char *text;          // NULL: it is to be fetched; "": none is needed
    unsigned serial;     // of the text; grows
    struct link waiting; // waiters; not empty: one is being fetched
    struct fetch *fetch;
    size_t endpoint; // where it is fetched
    unsigned faults; // of endpoints, for this one
};
struct etcd {
    struct event_base *base;
    struct fetcher *fetcher;
    struct etcd_endpoint *endpoints;
    size_t endpoint_count, in_use;
    struct pool_tls_config *tls; // its own copy, or NULL
    char *username, *password, *user_agent;
    int64_t timeout_ms, ask_ms;
    struct etcd_token token;
    struct link calls, watches;
};

// POST to an endpoint. Of the request: body, most_body, fresh, received, open.
struct fetch *etcd_post(struct etcd *etcd, size_t endpoint, const char *path, struct fetch_request request,
                        void (*done)(const struct fetch_answer *answer, void *context), void *context);
// The next one is in use when this one is.
void etcd_leave(struct etcd *etcd, size_t endpoint);
// "http://127.0.0.1:2379: why", without secrets.
void etcd_explain(const struct etcd *etcd, size_t endpoint, const char *why, char text[ETCD_WHY]);

// `ready` is called at once when there is a token, else later, unless the waiter leaves the list.
void etcd_token_await(struct etcd *etcd, struct etcd_waiter *waiter);
// The token of this serial is not taken any more.
void etcd_token_reject(struct etcd *etcd, unsigned serial);
void etcd_token_init(struct etcd *etcd);
void etcd_token_free(struct etcd *etcd);

void etcd_watch_free_all(struct etcd *etcd);

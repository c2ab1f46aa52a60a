// peer: a small HTTP server on loopback, on the test's own event base, that answers as it is told and
// remembers what it was asked.
#pragma once
#include <event2/event.h>
#include <stdbool.h>

#define PEER_CALLS 64
#define PEER_HOLD  (-1) // as a status: no answer at all

struct evhttp;
struct evhttp_request;
struct peer_call {
    char method[8], uri[512], body[1024], type[64], host[128];
    char leader[8]; // Grpc-Metadata-hasleader
};
struct peer {
    struct event_base *base;
    struct evhttp *http;
    char url[64]; // "http://127.0.0.1:PORT"
    unsigned port;
    // The answer: that of `answer` when it is set, else statuses[n] of the n-th call, else `status`.
    int status;
    int statuses[PEER_CALLS];
    const char *body;
    int (*answer)(const struct peer_call *call, const char **body, void *context);
    void *context;
    struct peer_call calls[PEER_CALLS]; // the first ones
    unsigned count;
    unsigned under_way, most_under_way; // held ones
    struct evhttp_request *held[PEER_CALLS];
};
void peer_open(struct peer *peer, struct event_base *base);
void peer_close(struct peer *peer);
void peer_release(struct peer *peer, int status); // answers what is held
// Runs the base until *counter >= wanted; fails after a generous while.
void peer_run_until(struct event_base *base, const unsigned *counter, unsigned wanted);
void peer_run_for(struct event_base *base, unsigned ms);

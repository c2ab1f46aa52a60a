// endpoint_fetch: a request of the control thread to one endpoint of a pool (a health check, a smoke test).
// What is asked comes from the configuration; where the endpoint is, under which name and with which TLS, is
// the endpoint's own, as for requests. A connection of its own each time. Control thread.
#pragma once
#include "control/fetch.h"
#include "upstream/endpoint.h"

struct endpoint_request {      // borrowed for the call only
    struct endpoint *endpoint; // its next check begins with its next address
    const struct probe_request_config *request;
    const struct pool_tls_config *tls; // of its pool; only looked at when the endpoint is https
    const char *user_agent;
    int64_t timeout_ms;
};
// As fetch_start. Bodies are cut off after 1 MiB.
struct fetch *endpoint_fetch(struct fetcher *fetcher, const struct endpoint_request *wanted,
                             void (*done)(const struct fetch_answer *answer, void *context), void *context);

// prometheus_poller: asks Prometheus one guard's query again and again, for the candidate and, where the
// guard compares, for the baseline at the same time. Control thread, asynchronous.
#pragma once
#include "prometheus_query.h"

struct prometheus_poller_settings { // texts are copied; 0: the default
    const char *url, *query;        // of the configuration
    const char *route, *candidate;
    const char *baseline;   // NULL: only the candidate is asked
    const char *user_agent; // not copied
    int64_t interval_ms;    // 5 s, from question to question; one that is late is left out
    int64_t timeout_ms;     // 10 s
    int64_t stale_ms;       // 30 s: so long the last good answer stands for those that fail
};
struct prometheus_poller;
// `answered` is called once for each good answer, `error` NULL: values are NAN where something that was asked
// has no data (`baseline` also where it is not asked). And once for each failure that no answer of the last
// `stale_ms` stands in for, and when the last one has become that old: values NAN, `error` a sentence,
// borrowed. Never from inside this call; it must not free the poller. It fits guard_external
// (rollout/guard.h).
struct prometheus_poller *prometheus_poller_new(
    struct event_base *base, struct fetcher *fetcher, const struct prometheus_poller_settings *settings,
    void (*answered)(double baseline, double candidate, const char *error, void *context), void *context);
void prometheus_poller_free(struct prometheus_poller *poller); // NULL is allowed

// back_off: an endpoint that says it has too much to do (429, or 503 with Retry-After) is spared for a while:
// the pool's others take its requests. Any thread; all of it is a time and a count in struct endpoint, so
// that every worker knows at once.
#pragma once
#include "upstream/endpoint.h"

#define BACK_OFF_FIRST_MS 1000 // when it does not say for how long; doubled each time in a row

// It refused a request and asked for `asked_ms`, or for nothing in particular (-1); it is spared for
// `most_ms` at most. Answers to requests that were under way when it began to be spared make that no longer
// than they ask for. Returns for how long it is spared now, in ms, when it was not before; else 0.
int64_t back_off_begin(struct endpoint *endpoint, int64_t asked_ms, int64_t most_ms, uint64_t now_ns);
// Ms until it is no longer spared; 0: it is not.
int64_t back_off_left(const struct endpoint *endpoint, uint64_t now_ns);

bool back_off_looked_at(struct endpoint *endpoint, uint64_t until_ns); // for back_off_holds
// Whether it is spared now. One load for an endpoint that never refused, or not of late.
static inline bool back_off_holds(struct endpoint *endpoint) {
    uint64_t until_ns = atomic_load_explicit(&endpoint->spared_until_ns, memory_order_relaxed);
    return until_ns && back_off_looked_at(endpoint, until_ns);
}
// It took a request: the next refusal is the first again. Not while it is spared: that request is an old one.
static inline void back_off_end(struct endpoint *endpoint) {
    if (atomic_load_explicit(&endpoint->refusals, memory_order_relaxed) && !back_off_holds(endpoint))
        atomic_store_explicit(&endpoint->refusals, 0, memory_order_relaxed);
}

// record: what is counted and logged about a finished exchange; the only writer of the metric lanes. Worker's
// thread.
#pragma once
#include "exchange.h"

// What the rollout's evidence needs (metrics/experiment.h), where the route has a rollout: the variant is
// decided …
void record_begin(struct exchange *exchange);
// … the answer's content begins …
void record_first_token(struct exchange *exchange, uint64_t at_ns);
// … an attempt has failed and another follows; the fault is the decided variant's.
void record_retry(struct exchange *exchange);
// … the connection switches protocols: how long it lasts says nothing.
void record_switch(struct exchange *exchange);
void record_exchange(struct exchange *exchange, enum finish finish);
// A copy of a request has ended: its line in the access log.
struct record_shadow {
    const char *route, *variant, *endpoint;
    struct slice request_id;
    unsigned status;
    enum error_reason reason;
    uint64_t took_ns;
    const struct meter *meter;
    const struct price_config *price;
};
void record_shadow(struct worker *worker, const struct record_shadow *shadow);
// The decided variant has failed and the fallback takes over: its account is closed now.
void record_fallback(struct exchange *exchange, unsigned status, enum error_reason reason);

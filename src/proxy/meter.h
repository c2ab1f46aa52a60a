// meter: the tokens that an answer tells of (http/usage.h), on their way into the counters and the rollout's
// evidence. Worker's thread.
#pragma once
#include "exchange.h"

// The final head of an answer came.
void meter_begin(struct exchange *exchange, const struct head *head);
// The next bytes of its body. An error that an event carries is charged to the decided variant.
void meter_read(struct exchange *exchange, struct slice bytes);
// At the end: tokens and dollars, of the variant that answered.
void meter_count(const struct exchange *exchange);
// … as evidence about the decided variant, which answered well; `took_ns` since the request's start.
void meter_evidence(const struct exchange *exchange, uint64_t took_ns);
// Dollars, by the price of the variant that answered; 0 without one.
double meter_dollars(const struct exchange *exchange);

static inline void meter_pass(struct exchange *exchange, struct slice bytes) {
    if (exchange->usage.source != USAGE_NONE)
        meter_read(exchange, bytes);
}

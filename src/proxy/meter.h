// meter: when an answer's content comes, and what it tells of its tokens (http/usage.h), on their way into a
// variant's counters. One per answer. Worker's thread.
#pragma once
#include "config/config.h"
#include "http/head.h"
#include "http/usage.h"

struct meter {
    struct usage usage;
    // Monotonic: when the body began, when its content did (in a stream: the first and the last event with
    // any), and the longest time between two of these; 0: not yet.
    uint64_t first_body_ns, first_token_ns, last_token_ns, longest_gap_ns;
};

// The final head of an answer came.
void meter_begin(struct meter *meter, const struct head *head);
// The next bytes of its body. True: the first token came with them.
bool meter_read(struct meter *meter, struct slice bytes, uint64_t now_ns);
bool meter_begin_body(struct meter *meter, uint64_t now_ns);
// What is charged to the variant for what its stream says, and once the answer is whole for what it did not
// say.
enum error_reason meter_fault(const struct meter *meter, bool whole);
// When the first token came; of a stream without content when its body began; 0: no body.
static inline uint64_t meter_first_ns(const struct meter *meter) {
    return meter->first_token_ns ? meter->first_token_ns : meter->first_body_ns;
}
// Tokens, dollars, the reason to finish and the gaps of a stream, of the variant that answered; `price` may
// be NULL.
void meter_count(const struct meter *meter, struct variant_lane *lane, const struct price_config *price);
double meter_dollars(const struct meter *meter, const struct price_config *price);
void meter_end(struct meter *meter); // gives back what reading took

static inline bool meter_pass(struct meter *meter, struct slice bytes, uint64_t now_ns) {
    bool first = !meter->first_body_ns && bytes.len && meter_begin_body(meter, now_ns);
    return meter->usage.source == USAGE_NONE ? first : meter_read(meter, bytes, now_ns) || first;
}

// trace: where a request stands in a distributed trace, and the spans of one that is recorded: one of the
// request and one of each attempt (docs/tracing.md). Owner: the exchange, in its arena; worker's thread.
//
// Whether it is recorded is decided once: as the caller's traceparent says, else by `tracing.sample`. What is
// not recorded passes as it came.
#pragma once
#include "exchange.h"
#include "http/traceparent.h"

struct trace_attempt {
    struct trace_attempt *next;
    char span[SPAN_DIGITS];
    uint64_t start_ns, end_ns; // monotonic; end_ns 0: under way
    const char *pool, *url;    // of the endpoint; the plan's and the arena's
    bool reused;               // an idle connection was taken
    unsigned status;           // of its answer; 0: none
    enum error_reason reason;
};
struct trace {
    bool recorded;
    bool has_parent;
    char parent[SPAN_DIGITS]; // the caller's span
    struct traceparent own;   // with the span of the request
    size_t span_at;           // in exchange->head_out: the span that the endpoint is told
    struct trace_attempt *first, *last;
    char mirror[SPAN_DIGITS]; // the span of a copy that is being made
};

// The request's head was read, and tracing is on.
void trace_begin(struct exchange *exchange, const struct head *head);
// The traceparent for the upstream, when it is not the client's own; marks what does not go on.
void trace_write(struct exchange *exchange, struct head *head, struct strbuf *out);
// The exchange ends with this status for the client, and is recorded: hands the spans over.
void trace_end(struct exchange *exchange, enum finish finish, unsigned status, uint64_t now_ns);

// Of a copy of a request (shadow.h): what is left of the exchange's trace when it has gone.
struct trace_copy {
    bool recorded;
    char trace[TRACE_DIGITS], parent[SPAN_DIGITS], span[SPAN_DIGITS];
};
void trace_copy(const struct exchange *exchange, struct trace_copy *copy);
struct record_shadow;
void trace_copy_end(struct worker *worker, const struct trace_copy *copy, const struct record_shadow *shadow);

static inline bool trace_recorded(const struct exchange *exchange) {
    return exchange->trace && exchange->trace->recorded;
}
// Of a request that is not recorded these cost a look.
void trace_attempt_recorded(struct exchange *exchange);
void trace_answered_recorded(struct exchange *exchange, unsigned status, enum error_reason reason);
void trace_released_recorded(struct exchange *exchange);
// An endpoint was chosen …
static inline void trace_attempt(struct exchange *exchange) {
    if (trace_recorded(exchange))
        trace_attempt_recorded(exchange);
}
// … its answer came, with a reason when it failed or is not taken (status 0: none came) …
static inline void trace_answered(struct exchange *exchange, unsigned status, enum error_reason reason) {
    if (trace_recorded(exchange))
        trace_answered_recorded(exchange, status, reason);
}
// … and it has ended, however it did.
static inline void trace_released(struct exchange *exchange) {
    if (trace_recorded(exchange))
        trace_released_recorded(exchange);
}

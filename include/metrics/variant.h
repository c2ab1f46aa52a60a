// variant: what is counted about one variant of one route. One lane per worker (its single writer),
// cumulative, never reset; the control thread sums the lanes. A series lives as long as a plan refers to it,
// so that counters survive every reload that keeps the route's and the variant's names.
#pragma once
#include "base/counter.h"
#include "base/histogram.h"
#include "base/refcount.h"
#include <stddef.h>

// sluice_requests_total{code}
enum code_class { CODE_2XX, CODE_3XX, CODE_4XX, CODE_5XX, CODE_499, CODE_CLASSES };
const char *code_class_name(enum code_class class);
enum code_class code_class_of(unsigned status); // 1xx counts as 2xx (a completed switch of protocols)

// Why a request was an error of its variant: sluice_request_errors_total{reason}. ERROR_REASON_NONE is not
// counted.
enum error_reason {
    ERROR_REASON_NONE,
    ERROR_REASON_CONNECT, // refused or unreachable
    ERROR_REASON_CONNECT_TIMEOUT,
    ERROR_REASON_TLS,     // the TLS handshake failed, or the certificate is not to be trusted
    ERROR_REASON_TIMEOUT, // first byte, idle stream or total
    ERROR_REASON_RESET,   // closed or reset before a whole response head
    ERROR_REASON_5XX,
    ERROR_REASON_CUT_SHORT,    // closed or reset inside the body
    ERROR_REASON_BAD_RESPONSE, // refused by framing
    ERROR_REASON_ERROR_EVENT,  // an event of the stream carried an error
    ERROR_REASON_UNFINISHED,   // the stream ended without saying so
    ERROR_REASON_OVERLOADED,   // no endpoint, queue full or queue time-out: of the proxy, not of the variant
    ERROR_REASONS
};
const char *error_reason_name(enum error_reason reason);

// sluice_retries_total{reason}
enum retry_reason {
    RETRY_REASON_CONNECT,
    RETRY_REASON_RESET, // reset_before_response
    RETRY_REASON_STATUS,
    RETRY_REASON_STALE, // an idle connection had gone; not charged to the budget
    RETRY_REASONS
};
const char *retry_reason_name(enum retry_reason reason);

// sluice_tokens_total{type}
enum token_type { TOKENS_PROMPT, TOKENS_COMPLETION, TOKEN_TYPES };
const char *token_type_name(enum token_type type);

// sluice_finish_reasons_total{reason}: why the model stopped. FINISH_REASON_NONE is not counted.
enum finish_reason {
    FINISH_REASON_NONE,
    FINISH_REASON_STOP,
    FINISH_REASON_LENGTH,
    FINISH_REASON_TOOL_CALLS,
    FINISH_REASON_CONTENT_FILTER,
    FINISH_REASON_OTHER,
    FINISH_REASONS
};
const char *finish_reason_name(enum finish_reason reason);

// sluice_mirror_dropped_total{reason}: why a request was not copied to its mirror.
enum mirror_drop {
    MIRROR_BODY_TOO_LARGE, // past buffered_body_bytes
    MIRROR_BUSY,           // mirror.max_inflight, or the memory for copies is used up
    MIRROR_NO_ENDPOINT,    // none is ready or could be reached of late, or all are at max_inflight
    MIRROR_BODY_UNFIT,     // its edits cannot be made in that body
    MIRROR_DROPS
};
const char *mirror_drop_name(enum mirror_drop reason);

// Bounds of the exposed histograms, in seconds; the last bucket (+Inf) is not listed.
#define LATENCY_BOUNDS 17
extern const double latency_bounds[LATENCY_BOUNDS];

struct spread {                          // what is exposed
    uint64_t coarse[LATENCY_BOUNDS + 1]; // per bound, not cumulative over bounds
    uint64_t sum_us;
};
struct latency {
    struct histogram fine; // percentiles and evidence
    struct spread spread;
};
unsigned latency_bucket(uint64_t us); // of the exposed histograms
void spread_add(struct spread *spread, uint64_t us);
void latency_add(struct latency *latency, uint64_t us);

struct variant_lane { // cache-line aligned, one writer
    uint64_t requests[CODE_CLASSES];
    uint64_t errors[ERROR_REASONS];
    uint64_t retries[RETRY_REASONS];
    uint64_t fallbacks;    // requests this variant failed and the fallback took
    uint64_t rate_limited; // answers 429 of its endpoints, also those that no client saw
    uint64_t request_bytes, response_bytes;
    uint64_t tokens[TOKEN_TYPES]; // that its answers told of
    double dollars;               // what they cost
    uint64_t finishes[FINISH_REASONS];
    uint64_t mirrored, mirror_dropped[MIRROR_DROPS]; // copies to this variant
    struct latency duration, first_token;
    struct spread first_byte;
    struct spread gap, longest_gap; // between the events of a stream: the mean and the longest of each answer
};

struct exemplars;
struct variant_series {
    struct refcount refs;
    const char *route, *variant; // owned
    unsigned lane_count;
    struct variant_lane **lanes;
    struct exemplars *_Atomic *exemplars; // by lane (metrics/exemplar.h); NULL: no request was recorded yet
    struct variant_series *next;          // registry's list; control thread only
};

// Of the lane's writer: what one answer took. `dollars` is 0 where the variant has no price.
void variant_tokens(struct variant_lane *lane, uint64_t prompt, uint64_t completion, double dollars);
double variant_dollars(const struct variant_lane *lane); // any thread

// Of the lane's writer: where exemplars go.
struct exemplars *variant_exemplars(const struct variant_series *series, unsigned lane);

// Sum of all lanes; `total` is zeroed first. Control thread (any reader).
void variant_total(const struct variant_series *series, struct variant_lane *total);
void variant_unref(struct variant_series *series); // any thread; freed by the registry's next sweep

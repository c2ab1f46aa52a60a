#include "metrics/exemplar.h"

#include <string.h>

static const char *const code_names[CODE_CLASSES] = {"2xx", "3xx", "4xx", "5xx", "499"};
static const char *const error_names[ERROR_REASONS] = {
    "none", "connect",   "connect_timeout", "tls",         "timeout",    "reset",
    "5xx",  "cut_short", "bad_response",    "error_event", "unfinished", "overloaded",
};
static const char *const retry_names[RETRY_REASONS] = {"connect", "reset_before_response", "status", "stale"};

const char *code_class_name(enum code_class class) {
    must((unsigned)class < CODE_CLASSES);
    return code_names[class];
}

enum code_class code_class_of(unsigned status) {
    if (status == 499) // ours: the client went away
        return CODE_499;
    if (status >= 500)
        return CODE_5XX;
    if (status >= 400)
        return CODE_4XX;
    return status >= 300 ? CODE_3XX : CODE_2XX;
}

const char *error_reason_name(enum error_reason reason) {
    must((unsigned)reason < ERROR_REASONS);
    return error_names[reason];
}

const char *retry_reason_name(enum retry_reason reason) {
    must((unsigned)reason < RETRY_REASONS);
    return retry_names[reason];
}

const char *token_type_name(enum token_type type) {
    static const char *const names[TOKEN_TYPES] = {"prompt", "completion"};
    must((unsigned)type < TOKEN_TYPES);
    return names[type];
}

const char *finish_reason_name(enum finish_reason reason) {
    static const char *const names[FINISH_REASONS] = {"none",       "stop",           "length",
                                                      "tool_calls", "content_filter", "other"};
    must((unsigned)reason < FINISH_REASONS);
    return names[reason];
}

const char *mirror_drop_name(enum mirror_drop reason) {
    static const char *const names[MIRROR_DROPS] = {"body_too_large", "busy", "no_endpoint", "body_unfit"};
    must((unsigned)reason < MIRROR_DROPS);
    return names[reason];
}

double variant_dollars(const struct variant_lane *lane) {
    double dollars;
    __atomic_load(&lane->dollars, &dollars, __ATOMIC_RELAXED);
    return dollars;
}

void variant_tokens(struct variant_lane *lane, uint64_t prompt, uint64_t completion, double dollars) {
    double sum = variant_dollars(lane) + dollars;
    counter_add(&lane->tokens[TOKENS_PROMPT], prompt);
    counter_add(&lane->tokens[TOKENS_COMPLETION], completion);
    __atomic_store(&lane->dollars, &sum, __ATOMIC_RELAXED);
}

struct exemplars *variant_exemplars(const struct variant_series *series, unsigned lane) {
    struct exemplars *exemplars = atomic_load_explicit(&series->exemplars[lane], memory_order_relaxed);
    if (!exemplars) {
        exemplars = exemplars_new();
        atomic_store_explicit(&series->exemplars[lane], exemplars, memory_order_release);
    }
    return exemplars;
}

static void add_counters(uint64_t *total, const uint64_t *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        total[i] += counter_read(&from[i]);
}

static void add_spread(struct spread *total, const struct spread *from) {
    add_counters(total->coarse, from->coarse, LATENCY_BOUNDS + 1);
    add_counters(&total->sum_us, &from->sum_us, 1);
}

static void add_latency(struct latency *total, const struct latency *from) {
    histogram_merge(&total->fine, &from->fine);
    add_spread(&total->spread, &from->spread);
}

void variant_total(const struct variant_series *series, struct variant_lane *total) {
    memset(total, 0, sizeof *total);
    for (unsigned i = 0; i < series->lane_count; i++) {
        const struct variant_lane *lane = series->lanes[i];
        add_counters(total->requests, lane->requests, CODE_CLASSES);
        add_counters(total->errors, lane->errors, ERROR_REASONS);
        add_counters(total->retries, lane->retries, RETRY_REASONS);
        add_counters(&total->fallbacks, &lane->fallbacks, 1);
        add_counters(&total->rate_limited, &lane->rate_limited, 1);
        add_counters(&total->request_bytes, &lane->request_bytes, 1);
        add_counters(&total->response_bytes, &lane->response_bytes, 1);
        add_counters(total->tokens, lane->tokens, TOKEN_TYPES);
        total->dollars += variant_dollars(lane);
        add_latency(&total->duration, &lane->duration);
        add_latency(&total->first_token, &lane->first_token);
        add_counters(&total->mirrored, &lane->mirrored, 1);
        add_counters(total->mirror_dropped, lane->mirror_dropped, MIRROR_DROPS);
        add_counters(total->finishes, lane->finishes, FINISH_REASONS);
        add_spread(&total->first_byte, &lane->first_byte);
        add_spread(&total->gap, &lane->gap);
        add_spread(&total->longest_gap, &lane->longest_gap);
    }
}

// The registry holds a reference of its own until its sweep, so this is never the last one.
void variant_unref(struct variant_series *series) {
    must(!refcount_drop(&series->refs));
}

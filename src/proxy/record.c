#include "record.h"
#include "access_log.h"
#include "base/clock.h"
#include "base/redact.h"
#include "metrics/exemplar.h"
#include "trace.h"

static const struct variant_series *series_of(const struct exchange *exchange) {
    return exchange->route ? exchange->route->variants[exchange->decision.variant].series
                           : exchange->hold->plan->unrouted;
}

static struct variant_lane *lane_of(const struct exchange *exchange) {
    return series_of(exchange)->lanes[exchange->worker->index];
}

// The fallback's, when it answered.
static struct variant_lane *answering_lane(const struct exchange *exchange) {
    return exchange_variant(exchange)->series->lanes[exchange->worker->index];
}

static void count(struct variant_lane *lane, enum code_class code, enum error_reason reason,
                  uint64_t duration_ns) {
    counter_add(&lane->requests[code], 1);
    if (reason != ERROR_REASON_NONE)
        counter_add(&lane->errors[reason], 1);
    latency_add(&lane->duration, duration_ns / 1000);
}

static void count_beginning(struct variant_lane *lane, const struct exchange *exchange) {
    uint64_t token_ns = meter_first_ns(&exchange->meter);
    if (exchange->first_byte_ns)
        spread_add(&lane->first_byte, (exchange->first_byte_ns - exchange->start_ns) / 1000);
    if (token_ns)
        latency_add(&lane->first_token, (token_ns - exchange->start_ns) / 1000);
}

// Of a recorded request, in the histograms that it was counted in.
static void leave_exemplar(const struct exchange *exchange, uint64_t duration_ns) {
    const struct traceparent *own = &exchange->trace->own;
    struct exemplars *exemplars = variant_exemplars(series_of(exchange), exchange->worker->index);
    uint64_t token_ns = meter_first_ns(&exchange->meter);
    exemplars_set(exemplars, EXEMPLAR_DURATION, own->trace, own->span, duration_ns / 1000);
    if (exchange->first_byte_ns)
        exemplars_set(exemplars, EXEMPLAR_FIRST_BYTE, own->trace, own->span,
                      (exchange->first_byte_ns - exchange->start_ns) / 1000);
    if (token_ns)
        exemplars_set(exemplars, EXEMPLAR_FIRST_TOKEN, own->trace, own->span,
                      (token_ns - exchange->start_ns) / 1000);
}

// ---- evidence

// The arm that a request is counted for: its variant, or the slice of the baseline that is the candidate's
// equal.
static size_t arm_of(const struct exchange *exchange) {
    const struct plan_route *route = exchange->route;
    uint16_t bucket = exchange->decision.bucket;
    bool control = exchange->decision.variant == route->live.config->baseline &&
                   bucket >= route->control_from && bucket < route->control_end;
    return control ? plan_control_arm(route) : exchange->decision.variant;
}

// Who chose a variant by hand says nothing about it: testers ask other questions than users. Nor does who
// asks for a task: how often says nothing about the users that the split gave the variant.
void record_begin(struct exchange *exchange) {
    const struct plan_route *route = exchange->route;
    enum decision_reason reason = exchange->decision.reason;
    if (!route->experiment || exchange->decision.by_tester || reason == DECIDED_BY_TASK)
        return;
    struct experiment_arrival arrival = {
        .arm = arm_of(exchange),
        .unit_hash = exchange->unit_hash,
        .fresh_unit = reason != DECIDED_BY_PIN && reason != DECIDED_BY_BAGGAGE,
        .unit_known = exchange->decision.unit.source != UNIT_RANDOM,
        .epoch = route->epoch,
    };
    experiment_begin(route->experiment, exchange->worker->index, &arrival, exchange->worker->now_ns,
                     &exchange->evidence);
}

static void evidence_failed(struct exchange *exchange, enum error_reason reason, uint64_t now) {
    struct experiment *experiment = exchange->route->experiment;
    unsigned lane = exchange->worker->index;
    if (!exchange->evidence.counted)
        return;
    if (reason == ERROR_REASON_OVERLOADED || reason == ERROR_REASON_NONE)
        experiment_excluded(experiment, lane, &exchange->evidence);
    else
        experiment_failed(experiment, lane, now - exchange->start_ns, &exchange->evidence);
}

void record_first_token(struct exchange *exchange, uint64_t at_ns) {
    if (exchange->evidence.counted && exchange->status < 400 &&
        exchange->serving == exchange->decision.variant)
        experiment_first_byte(exchange->route->experiment, exchange->worker->index,
                              at_ns - exchange->start_ns, &exchange->evidence);
}

void record_retry(struct exchange *exchange) {
    if (exchange->evidence.counted)
        experiment_failed(exchange->route->experiment, exchange->worker->index,
                          exchange->worker->now_ns - exchange->start_ns, &exchange->evidence);
}

void record_switch(struct exchange *exchange) {
    if (exchange->evidence.counted)
        experiment_excluded(exchange->route->experiment, exchange->worker->index, &exchange->evidence);
}

// Of the decided variant, which answered well.
static void evidence_of_tokens(const struct exchange *exchange, uint64_t took_ns) {
    const struct usage *usage = &exchange->meter.usage;
    const struct price_config *price = exchange_variant(exchange)->config->price;
    struct experiment *experiment = exchange->route->experiment;
    unsigned lane = exchange->worker->index;
    if (!usage->counted)
        return;
    if (price)
        experiment_value(experiment, lane, MEAN_COST, meter_dollars(&exchange->meter, price),
                         &exchange->evidence);
    if (usage->completion && took_ns)
        experiment_value(experiment, lane, MEAN_TOKENS_PER_SECOND,
                         (double)usage->completion * 1e9 / (double)took_ns, &exchange->evidence);
}

static void evidence_end(struct exchange *exchange, unsigned status, uint64_t now) {
    struct experiment *experiment = exchange->evidence.counted ? exchange->route->experiment : NULL;
    if (!experiment)
        return;
    if (exchange->blame != ERROR_REASON_NONE)
        evidence_failed(exchange, exchange->blame, now);
    else if (status >= 400) // 4xx, a client that went: no outcome
        experiment_excluded(experiment, exchange->worker->index, &exchange->evidence);
    else {
        if (!exchange->evidence.first_byte_noted) // no content that anybody knows, or no body
            record_first_token(exchange, meter_first_ns(&exchange->meter) ? meter_first_ns(&exchange->meter)
                                                                          : exchange->first_byte_ns);
        evidence_of_tokens(exchange, now - exchange->start_ns);
        experiment_ended_well(experiment, exchange->worker->index, now - exchange->start_ns,
                              &exchange->evidence);
    }
}

// ---- the end

void record_fallback(struct exchange *exchange, unsigned status, enum error_reason reason) {
    struct variant_lane *lane = lane_of(exchange);
    uint64_t now = clock_monotonic_ns();
    count(lane, code_class_of(status), reason, now - exchange->start_ns);
    counter_add(&lane->fallbacks, 1);
    evidence_failed(exchange, reason, now);
    exchange->charged_ns = now;
    exchange->charged_status = status;
}

// Names are literals: a field's beginning is one piece.
#define text_field(line, name, value) (strbuf_literal((line), ",\"" name "\":"), strbuf_json((line), (value)))
#define number_field(line, name, value) \
    (strbuf_literal((line), ",\"" name "\":"), strbuf_u64((line), (value)))
#define ms_field(line, name, ns) (strbuf_literal((line), ",\"" name "\":"), milliseconds((line), (ns)))

static void milliseconds(struct strbuf *line, uint64_t ns) {
    uint64_t us = (ns + 500) / 1000;
    unsigned part = (unsigned)(us % 1000);
    char digits[4] = {'.', (char)('0' + part / 100), (char)('0' + part / 10 % 10), (char)('0' + part % 10)};
    strbuf_u64(line, us / 1000);
    strbuf_append(line, digits, sizeof digits);
}

static void log_route(const struct exchange *exchange, struct strbuf *line) {
    if (!exchange->route)
        return;
    const struct route_config *config = exchange->route->live.config;
    text_field(line, "route", slice_of(config->name));
    text_field(line, "variant", slice_of(config->variants[exchange->decision.variant].name));
    text_field(line, "decided_by", slice_of(decision_reason_name(exchange->decision.reason)));
    number_field(line, "bucket", exchange->decision.bucket);
    if (exchange->charged_ns) {
        text_field(line, "fallback", slice_of(config->variants[exchange->serving].name));
        number_field(line, "failed_status", exchange->charged_status);
    }
    if (exchange->log_endpoint.len)
        text_field(line, "endpoint", exchange->log_endpoint);
    if (exchange->retries)
        number_field(line, "retries", exchange->retries);
}

static void log_tokens(const struct meter *meter, const struct price_config *price, struct strbuf *line) {
    if (usage_finish(&meter->usage) != FINISH_REASON_NONE)
        text_field(line, "finish_reason", slice_of(finish_reason_name(usage_finish(&meter->usage))));
    if (!meter->usage.counted)
        return;
    number_field(line, "prompt_tokens", meter->usage.prompt);
    number_field(line, "completion_tokens", meter->usage.completion);
    if (price)
        strbuf_format(line, ",\"dollars\":%.9g", meter_dollars(meter, price));
}

static struct strbuf *begin_line(struct log_lane *lane) {
    char when[CLOCK_ISO_BYTES];
    struct strbuf *line = log_lane_line(lane);
    clock_iso(clock_wall_ms(), when);
    strbuf_literal(line, "{\"time\":\"");
    strbuf_append(line, when, sizeof when - 1);
    strbuf_char(line, '"');
    return line;
}

void record_shadow(struct worker *worker, const struct record_shadow *shadow) {
    if (!log_lane_on(worker->log))
        return;
    struct strbuf *line = begin_line(worker->log);
    text_field(line, "request_id", shadow->request_id);
    strbuf_literal(line, ",\"mirror\":true");
    number_field(line, "status", shadow->status);
    text_field(line, "route", slice_of(shadow->route));
    text_field(line, "variant", slice_of(shadow->variant));
    text_field(line, "endpoint", slice_of(shadow->endpoint));
    ms_field(line, "duration_ms", shadow->took_ns);
    log_tokens(shadow->meter, shadow->price, line);
    if (shadow->reason != ERROR_REASON_NONE)
        text_field(line, "error", slice_of(error_reason_name(shadow->reason)));
    strbuf_literal(line, "}\n");
    log_lane_done(worker->log);
}

// Keys and tokens in a query are not for the log.
static void log_target(struct strbuf *line, struct slice target) {
    struct strbuf shown = {0};
    if (redact_target(target, &shown))
        target = strbuf_as_slice(&shown);
    text_field(line, "target", target);
    strbuf_free(&shown);
}

static void write_log(const struct exchange *exchange, enum finish finish, unsigned status,
                      uint64_t duration_ns) {
    struct log_lane *lane = exchange->worker->log;
    if (!log_lane_on(lane))
        return;
    struct strbuf *line = begin_line(lane);
    text_field(line, "request_id", exchange->request_id);
    if (exchange->trace)
        text_field(line, "trace_id", slice_make(exchange->trace->own.trace, TRACE_DIGITS));
    struct slice peer = slice_make(exchange->session->peer, exchange->session->peer_len);
    text_field(line, "client", exchange->client);
    if (!slice_equal(exchange->client, peer))
        text_field(line, "peer", peer);
    text_field(line, "method", exchange->log_method);
    text_field(line, "host", exchange->log_host);
    log_target(line, exchange->log_target);
    number_field(line, "status", status);
    log_route(exchange, line);
    number_field(line, "request_bytes", exchange->request.bytes);
    number_field(line, "response_bytes", exchange->response_bytes);
    ms_field(line, "duration_ms", duration_ns);
    if (exchange->first_byte_ns)
        ms_field(line, "first_byte_ms", exchange->first_byte_ns - exchange->start_ns);
    if (meter_first_ns(&exchange->meter))
        ms_field(line, "ttft_ms", meter_first_ns(&exchange->meter) - exchange->start_ns);
    log_tokens(&exchange->meter, exchange->route ? exchange_variant(exchange)->config->price : NULL, line);
    if (exchange->blame != ERROR_REASON_NONE)
        text_field(line, "error", slice_of(error_reason_name(exchange->blame)));
    if (exchange->reply_reason)
        text_field(line, "reply", slice_of(exchange->reply_reason));
    text_field(line, "end", slice_of(finish_name(finish)));
    text_field(line, "user_agent", exchange->log_agent);
    strbuf_literal(line, "}\n");
    log_lane_done(lane);
}

void record_exchange(struct exchange *exchange, enum finish finish) {
    uint64_t now = clock_monotonic_ns();
    uint64_t duration = now - exchange->start_ns;
    unsigned status = finish == FINISH_CLIENT_GONE || finish == FINISH_STOPPED ? 499 : exchange->status;
    struct variant_lane *lane = lane_of(exchange);
    // Not the variant's fault, whatever had begun to go wrong; but clients go when they are told of an error.
    if (finish == FINISH_CLIENT_GONE && !exchange->charged_ns &&
        exchange->blame != ERROR_REASON_ERROR_EVENT && exchange->blame != ERROR_REASON_UNFINISHED)
        exchange->blame = ERROR_REASON_NONE;
    if (!exchange->charged_ns) { // else the decided variant's account was closed when it failed
        count(lane, status == 499 ? CODE_499 : code_class_of(status), exchange->blame, duration);
        count_beginning(lane, exchange);
        if (trace_recorded(exchange))
            leave_exemplar(exchange, duration);
        evidence_end(exchange, status, now);
    }
    counter_add(&lane->request_bytes, exchange->request.bytes);
    counter_add(&lane->response_bytes, exchange->response_bytes);
    if (exchange->route)
        meter_count(&exchange->meter, answering_lane(exchange), exchange_variant(exchange)->config->price);
    write_log(exchange, finish, status, duration);
    if (trace_recorded(exchange))
        trace_end(exchange, finish, status, now);
}

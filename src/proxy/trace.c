#include "trace.h"
#include "base/clock.h"
#include "http/uri.h"
#include "http/writer.h"
#include "record.h"
#include "span.h"
#include "span_lane.h"

// ---- the decision

// What the request brings, when it means something: one field, well-formed (W3C Trace Context 3.2, 3.3.2).
static bool brought(const struct head *head, struct traceparent *to) {
    size_t count = 0;
    if (!head_has(head, FIELD_BIT(FIELD_TRACEPARENT)))
        return false;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        if (field->id == FIELD_TRACEPARENT && !field->drop &&
            (++count > 1 || !traceparent_read(field->value, to)))
            return false;
    }
    return count == 1;
}

void trace_begin(struct exchange *exchange, const struct head *head) {
    struct trace *trace = arena_zero(&exchange->arena, 1, sizeof *trace);
    struct random_state *random = &exchange->worker->random;
    uint64_t sample = (uint64_t)exchange_config(exchange)->tracing->sample;
    exchange->trace = trace;
    trace->has_parent = brought(head, &trace->own);
    if (trace->has_parent) {
        memcpy(trace->parent, trace->own.span, SPAN_DIGITS);
        span_id_make(random, trace->own.span);
    } else {
        traceparent_begin(random, random_below(random, SHARE_WHOLE) < sample ? TRACE_SAMPLED : 0,
                          &trace->own);
    }
    trace->recorded = trace->own.flags & TRACE_SAMPLED;
}

// ---- what goes on

static void drop(struct head *head, bool state_too) {
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_TRACEPARENT || (state_too && head->fields[i].id == FIELD_TRACESTATE))
            head->fields[i].drop = true;
}

void trace_write(struct exchange *exchange, struct head *head, struct strbuf *out) {
    static const struct slice name = {"traceparent", 11};
    struct trace *trace = exchange->trace;
    struct traceparent own;
    char text[TRACEPARENT_BYTES];
    bool given = brought(head, &own), recorded = trace_recorded(exchange);
    if (given && !recorded)
        return;
    if (head_has(head, FIELD_BIT(FIELD_TRACEPARENT) | FIELD_BIT(FIELD_TRACESTATE)))
        drop(head, !given); // the state is that of the parent (3.3)
    if (trace)
        own = trace->own;
    else
        traceparent_begin(&exchange->worker->random, TRACE_SAMPLED, &own);
    if (recorded && out != &exchange->head_out) { // of a copy
        span_id_make(&exchange->worker->random, trace->mirror);
        memcpy(own.span, trace->mirror, SPAN_DIGITS);
    }
    traceparent_write(&own, text);
    if (recorded && out == &exchange->head_out)
        trace->span_at = out->len + name.len + 2 + (TRACEPARENT_BYTES - 3 - SPAN_DIGITS); // "name: "
    write_field(out, name, slice_make(text, sizeof text));
}

// ---- attempts

static struct trace_attempt *under_way(const struct exchange *exchange) {
    struct trace_attempt *last = exchange->trace->last;
    return last && !last->end_ns ? last : NULL;
}

void trace_attempt_recorded(struct exchange *exchange) {
    struct trace *trace = exchange->trace;
    struct trace_attempt *attempt = arena_zero(&exchange->arena, 1, sizeof *attempt);
    span_id_make(&exchange->worker->random, attempt->span);
    memcpy(exchange->head_out.at + trace->span_at, attempt->span, SPAN_DIGITS);
    attempt->start_ns = exchange->worker->now_ns;
    attempt->pool = exchange_variant(exchange)->config->pool;
    attempt->url = arena_string(&exchange->arena, slice_of(exchange->endpoint->url));
    if (trace->last)
        trace->last->next = attempt;
    else
        trace->first = attempt;
    trace->last = attempt;
}

void trace_answered_recorded(struct exchange *exchange, unsigned status, enum error_reason reason) {
    struct trace_attempt *attempt = under_way(exchange);
    if (!attempt)
        return;
    attempt->status = status;
    attempt->reason = reason;
}

void trace_released_recorded(struct exchange *exchange) {
    struct trace_attempt *attempt = under_way(exchange);
    if (!attempt)
        return;
    attempt->reused = exchange->connection && exchange->connection->reused;
    attempt->end_ns = exchange->worker->now_ns;
    if (attempt->status && attempt->reason == ERROR_REASON_NONE && !exchange->charged_ns)
        attempt->reason = exchange->blame; // inside the answer
}

// ---- the spans

// What a duration on the monotonic clock is added to, to have Unix time.
static uint64_t wall_offset(uint64_t now_ns) {
    return clock_wall_ms() * NS_PER_MS - now_ns;
}

static void text_of(struct strbuf *out, const char *key, const char *value) {
    if (value)
        span_text(out, key, slice_of(value));
}

static void tell_answer(struct strbuf *out, const struct meter *meter, const struct price_config *price) {
    const struct usage *usage = &meter->usage;
    if (usage_finish(usage) != FINISH_REASON_NONE)
        span_texts(out, "gen_ai.response.finish_reasons", slice_of(finish_reason_name(usage_finish(usage))));
    if (!usage->counted)
        return;
    span_u64(out, "gen_ai.usage.input_tokens", usage->prompt);
    span_u64(out, "gen_ai.usage.output_tokens", usage->completion);
    if (price)
        span_double(out, "sluice.dollars", meter_dollars(meter, price));
}

static void tell_route(const struct exchange *exchange, struct strbuf *out) {
    const struct route_config *route = exchange->route->live.config;
    const struct variant_config *variant = &route->variants[exchange->decision.variant];
    text_of(out, "sluice.route", route->name);
    text_of(out, "sluice.variant", variant->name);
    text_of(out, "sluice.version", variant->version);
    text_of(out, "sluice.decided_by", decision_reason_name(exchange->decision.reason));
    span_u64(out, "sluice.bucket", exchange->decision.bucket);
    if (exchange->charged_ns)
        text_of(out, "sluice.fallback", route->variants[exchange->serving].name);
    tell_answer(out, &exchange->meter, exchange_variant(exchange)->config->price);
}

// The path without the query, which may hold keys.
static void tell_target(const struct exchange *exchange, struct strbuf *out) {
    struct uri uri;
    struct slice host;
    if (exchange->log_target.len && uri_split(exchange->log_target, &uri))
        span_text(out, "url.path", uri.path_only);
    span_text(out, "url.scheme", exchange->secure ? SLICE("https") : SLICE("http"));
    if (exchange->log_host.len && uri_host(exchange->log_host, &host))
        span_text(out, "server.address", host);
}

static const char *fault_of(const struct exchange *exchange, unsigned status) {
    if (exchange->blame != ERROR_REASON_NONE)
        return error_reason_name(exchange->blame);
    if (status < 500)
        return NULL;
    return exchange->reply_reason ? exchange->reply_reason : error_reason_name(ERROR_REASON_5XX);
}

// "POST chat": a name of few values, as the semantic conventions for HTTP want it.
static struct slice name_of(struct exchange *exchange, const char *object) {
    const struct slice *method = &exchange->log_method;
    if (!object)
        return *method;
    return slice_of(arena_format(&exchange->arena, "%.*s %s", (int)method->len, method->at, object));
}

static void request_span(struct exchange *exchange, enum finish finish, unsigned status, uint64_t offset,
                         uint64_t now_ns, struct strbuf *out) {
    const struct trace *trace = exchange->trace;
    const char *fault = fault_of(exchange, status);
    struct span span = {trace->own.trace,
                        trace->own.span,
                        trace->has_parent ? trace->parent : NULL,
                        SPAN_SERVER,
                        name_of(exchange, exchange->route ? exchange->route->live.config->name : NULL),
                        exchange->start_ns + offset,
                        now_ns + offset};
    span_open(out, &span);
    span_text(out, "http.request.method", exchange->log_method);
    tell_target(exchange, out);
    span_text(out, "network.protocol.version", exchange->old_client ? SLICE("1.0") : SLICE("1.1"));
    span_text(out, "client.address", exchange->client);
    if (exchange->log_agent.len)
        span_text(out, "user_agent.original", exchange->log_agent);
    span_u64(out, "http.response.status_code", status);
    span_u64(out, "http.request.body.size", exchange->request.bytes);
    span_u64(out, "http.response.body.size", exchange->response_bytes);
    span_text(out, "sluice.request_id", exchange->request_id);
    span_text(out, "sluice.end", slice_of(finish_name(finish)));
    if (exchange->route)
        tell_route(exchange, out);
    text_of(out, "error.type", fault);
    span_events(out);
    if (exchange->first_byte_ns)
        span_event(out, "first_byte", exchange->first_byte_ns + offset);
    if (exchange->meter.first_token_ns)
        span_event(out, "first_token", exchange->meter.first_token_ns + offset);
    span_close(out, fault);
}

static void attempt_span(struct exchange *exchange, const struct trace_attempt *attempt, unsigned before,
                         uint64_t offset, struct strbuf *out) {
    const struct trace *trace = exchange->trace;
    const char *fault = attempt->reason != ERROR_REASON_NONE ? error_reason_name(attempt->reason) : NULL;
    struct span span = {trace->own.trace,
                        attempt->span,
                        trace->own.span,
                        SPAN_CLIENT,
                        name_of(exchange, attempt->pool),
                        attempt->start_ns + offset,
                        attempt->end_ns + offset};
    span_open(out, &span);
    span_text(out, "http.request.method", exchange->log_method);
    text_of(out, "sluice.pool", attempt->pool);
    text_of(out, "sluice.endpoint", attempt->url);
    span_bool(out, "sluice.connection_reused", attempt->reused);
    if (attempt->status)
        span_u64(out, "http.response.status_code", attempt->status);
    if (before)
        span_u64(out, "http.request.resend_count", before);
    text_of(out, "error.type", fault);
    span_events(out);
    span_close(out, fault);
}

void trace_end(struct exchange *exchange, enum finish finish, unsigned status, uint64_t now_ns) {
    struct span_lane *lane = exchange->worker->spans;
    uint64_t offset = wall_offset(now_ns);
    unsigned before = 0;
    request_span(exchange, finish, status, offset, now_ns, span_lane_open(lane));
    span_lane_done(lane);
    for (const struct trace_attempt *at = exchange->trace->first; at; at = at->next) {
        attempt_span(exchange, at, before++, offset, span_lane_open(lane));
        span_lane_done(lane);
    }
}

// ---- copies

void trace_copy(const struct exchange *exchange, struct trace_copy *copy) {
    const struct trace *trace = exchange->trace;
    copy->recorded = trace_recorded(exchange);
    if (!copy->recorded)
        return;
    memcpy(copy->trace, trace->own.trace, TRACE_DIGITS);
    memcpy(copy->parent, trace->own.span, SPAN_DIGITS);
    memcpy(copy->span, trace->mirror, SPAN_DIGITS);
}

void trace_copy_end(struct worker *worker, const struct trace_copy *copy,
                    const struct record_shadow *shadow) {
    if (!copy->recorded)
        return;
    const char *fault = shadow->reason != ERROR_REASON_NONE ? error_reason_name(shadow->reason) : NULL;
    uint64_t offset = wall_offset(worker->now_ns);
    struct span span = {copy->trace,
                        copy->span,
                        copy->parent,
                        SPAN_CLIENT,
                        SLICE("mirror"),
                        worker->now_ns - shadow->took_ns + offset,
                        worker->now_ns + offset};
    struct strbuf *out = span_lane_open(worker->spans);
    span_open(out, &span);
    span_bool(out, "sluice.mirror", true);
    text_of(out, "sluice.route", shadow->route);
    text_of(out, "sluice.variant", shadow->variant);
    text_of(out, "sluice.endpoint", shadow->endpoint);
    span_u64(out, "http.response.status_code", shadow->status);
    tell_answer(out, shadow->meter, shadow->price);
    text_of(out, "error.type", fault);
    span_events(out);
    span_close(out, fault);
    span_lane_done(worker->spans);
}

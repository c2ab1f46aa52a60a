#include "shadow.h"
#include "edited.h"
#include "http/parser.h"
#include "http/writer.h"
#include "io/descriptors.h"
#include "record.h"
#include "trace.h"

#include <errno.h>

// Bodies of copies that one worker holds at most.
#define SHADOW_BYTES (32u << 20)
// No copy is begun for so long after one could not connect: the attempts must cost nobody anything.
#define SHADOW_PAUSE_NS (100 * NS_PER_MS)

enum shadow_state { SHADOW_CONNECT, SHADOW_AWAIT, SHADOW_ANSWER };

struct shadow {
    struct link link; // in worker->shadows
    struct worker *worker;
    struct plan_hold *hold;
    const struct plan_route *route;
    const struct plan_variant *variant;
    struct endpoint *endpoint;     // entered
    struct connection *connection; // NULL: none yet
    enum shadow_state state;
    struct strbuf head, body; // what is sent
    struct strbuf request_id; // for the log
    struct trace_copy trace;
    bool to_head;
    struct framing framing; // of the answer
    struct body answer;
    struct meter meter;
    unsigned status; // 0: none came
    uint64_t start_ns, first_byte_ns, answer_bytes;
    struct deadline deadline;
};

// ---- the end

static struct variant_lane *lane_of(const struct shadow *shadow) {
    return shadow->variant->series->lanes[shadow->worker->index];
}

static void count(const struct shadow *shadow, unsigned status, enum error_reason reason) {
    struct variant_lane *lane = lane_of(shadow);
    uint64_t first_token_ns = meter_first_ns(&shadow->meter);
    counter_add(&lane->requests[code_class_of(status)], 1);
    if (reason != ERROR_REASON_NONE)
        counter_add(&lane->errors[reason], 1);
    if (status == 429) // … and does not spare the endpoint: users' requests are not to feel it
        counter_add(&lane->rate_limited, 1);
    latency_add(&lane->duration, (shadow->worker->now_ns - shadow->start_ns) / 1000);
    if (shadow->first_byte_ns)
        spread_add(&lane->first_byte, (shadow->first_byte_ns - shadow->start_ns) / 1000);
    if (first_token_ns)
        latency_add(&lane->first_token, (first_token_ns - shadow->start_ns) / 1000);
    counter_add(&lane->request_bytes, shadow->body.len);
    counter_add(&lane->response_bytes, shadow->answer_bytes);
    meter_count(&shadow->meter, lane, shadow->variant->config->price);
}

static void free_shadow(struct shadow *shadow) {
    struct worker *worker = shadow->worker;
    deadline_clear(&shadow->deadline);
    if (shadow->connection)
        connection_close(shadow->connection);
    if (shadow->endpoint) {
        const struct pool_view *view = shadow->hold->plan->pools[shadow->variant->pool];
        endpoint_leave(shadow->endpoint);
        if (view->config->max_inflight || atomic_load(&view->pool->waiting))
            worker_room(worker, view->pool);
    }
    atomic_fetch_sub_explicit(&shadow->route->mirrored->copies, 1, memory_order_relaxed);
    worker->shadow_bytes -= shadow->body.len;
    list_remove(&shadow->link);
    strbuf_free(&shadow->head);
    strbuf_free(&shadow->body);
    strbuf_free(&shadow->request_id);
    meter_end(&shadow->meter);
    worker_release(worker, shadow->hold);
    mem_free(shadow);
}

static bool unreachable(enum error_reason reason) {
    return reason == ERROR_REASON_CONNECT || reason == ERROR_REASON_CONNECT_TIMEOUT ||
           reason == ERROR_REASON_TLS;
}

// With the status that the client would have got. Nothing of it is charged to the endpoint's ejection: a
// variant that is only tried must not take an endpoint from one that is in use.
static void finish(struct shadow *shadow, unsigned status, enum error_reason reason) {
    count(shadow, status, reason);
    if (unreachable(reason))
        atomic_store_explicit(&shadow->route->mirrored->pause_ns, shadow->worker->now_ns + SHADOW_PAUSE_NS,
                              memory_order_relaxed);
    struct record_shadow record = {
        .route = shadow->route->live.config->name,
        .variant = shadow->variant->config->name,
        .endpoint = shadow->endpoint->url,
        .request_id = strbuf_as_slice(&shadow->request_id),
        .status = status,
        .reason = reason,
        .took_ns = shadow->worker->now_ns - shadow->start_ns,
        .meter = &shadow->meter,
        .price = shadow->variant->config->price,
    };
    record_shadow(shadow->worker, &record);
    trace_copy_end(shadow->worker, &shadow->trace, &record);
    free_shadow(shadow);
}

void shadow_cut_all(struct worker *worker) {
    while (!list_empty(&worker->shadows))
        free_shadow(list_entry(worker->shadows.next, struct shadow, link));
}

// ---- time-outs

static void wait_to_connect(struct shadow *shadow);

static void expired(struct deadline *deadline) {
    struct shadow *shadow = list_entry(deadline, struct shadow, deadline);
    struct worker *worker = shadow->worker;
    worker_enter(worker);
    if (shadow->state == SHADOW_CONNECT && connection_hangs(shadow->connection))
        wait_to_connect(shadow);
    else
        finish(shadow, shadow->status ? shadow->status : 504,
               shadow->state == SHADOW_CONNECT ? ERROR_REASON_CONNECT_TIMEOUT : ERROR_REASON_TIMEOUT);
    worker_leave(worker);
}

// What is left of `total`, in few steps: there is a list of deadlines for each duration in use.
static int64_t left_of_total(const struct shadow *shadow) {
    int64_t total = shadow->variant->timeouts.total, step = total / 64 + 1;
    int64_t passed = (int64_t)((shadow->worker->now_ns - shadow->start_ns) / NS_PER_MS);
    if (total < 0)
        return DURATION_OFF;
    return total > passed ? (total - passed + step - 1) / step * step : 0;
}

static void wait_at_most(struct shadow *shadow, int64_t most_ms) {
    int64_t left = left_of_total(shadow);
    if (left >= 0 && (most_ms < 0 || left < most_ms))
        most_ms = left;
    deadline_set(&shadow->worker->deadlines, &shadow->deadline, most_ms, shadow->worker->now_ns, expired);
}

// An address that keeps silent gets its part of the time-out.
static void wait_to_connect(struct shadow *shadow) {
    int64_t most = shadow->variant->timeouts.connect;
    unsigned parts = connection_patience(shadow->connection);
    wait_at_most(shadow, most < parts ? most : most / parts);
}

// ---- the answer

// The whole answer is here: a connection that may go on does.
static void answered(struct shadow *shadow) {
    struct connection *connection = shadow->connection;
    const struct pool_view *view = shadow->hold->plan->pools[shadow->variant->pool];
    bool reusable = shadow->framing.keep_alive && shadow->framing.kind != BODY_UNTIL_CLOSE &&
                    !connection->in && outbox_empty(&connection->outbox);
    if (reusable) {
        shadow->connection = NULL;
        connection_return(connection, (unsigned)view->config->keepalive);
    }
    enum error_reason fault = meter_fault(&shadow->meter, true);
    finish(shadow, shadow->status, shadow->status >= 500 ? ERROR_REASON_5XX : fault);
}

// A final head is here: goes on with the body. False: more is needed, or the shadow is gone.
static bool read_head(struct shadow *shadow) {
    struct head *head = &shadow->worker->response_head;
    struct head_limits limits = {SIZE_MAX, 65536};
    struct buffer *buffer;
    while ((buffer = shadow->connection->in)) {
        struct slice bytes = slice_make(buffer_at(buffer), buffer_len(buffer));
        enum reject reject = REJECT_NONE;
        enum head_result result = head_read_response(bytes, &limits, head, &reject);
        if (result == HEAD_PARTIAL && buffer_space(buffer) == 0)
            buffer_compact(buffer);
        if (result == HEAD_PARTIAL && buffer_space(buffer) > 0)
            return false;
        if (result != HEAD_COMPLETE ||
            framing_of_response(head, shadow->to_head, &shadow->framing) != REJECT_NONE ||
            (!shadow->framing.plain && !parser_agrees_on_response(slice_make(bytes.at, head->bytes), head,
                                                                  &shadow->framing, shadow->to_head)) ||
            head->status == 101) {
            finish(shadow, 502, ERROR_REASON_BAD_RESPONSE);
            return false;
        }
        buffer->start += (uint32_t)head->bytes;
        if (head->status >= 200) {
            shadow->state = SHADOW_ANSWER;
            shadow->status = head->status;
            shadow->first_byte_ns = shadow->worker->now_ns;
            meter_begin(&shadow->meter, head);
            body_start(&shadow->answer, &shadow->framing);
            return true;
        }
        if (buffer_len(buffer) == 0) {
            buffer_give(buffer);
            shadow->connection->in = NULL;
        }
    }
    return false;
}

// Measures what is here of the body and throws it away. False: the shadow is gone.
static bool read_body(struct shadow *shadow) {
    struct buffer *buffer = shadow->connection->in;
    if (buffer) {
        size_t data, used;
        enum reject reject;
        char *at = buffer_at(buffer);
        if (body_feed(&shadow->answer, at, buffer_len(buffer), &data, &used, &reject) == BODY_REJECTED) {
            finish(shadow, 502, ERROR_REASON_BAD_RESPONSE);
            return false;
        }
        meter_pass(&shadow->meter, slice_make(at, data), shadow->worker->now_ns);
        shadow->answer_bytes += data;
        buffer->start += (uint32_t)used;
        if (buffer_len(buffer) == 0) {
            buffer_give(buffer);
            shadow->connection->in = NULL;
        }
    }
    if (!shadow->answer.complete)
        return true;
    answered(shadow);
    return false;
}

static void upstream_ended(struct shadow *shadow, enum stream_result result) {
    if (shadow->state != SHADOW_ANSWER)
        finish(shadow, 502, ERROR_REASON_RESET);
    else if (result != STREAM_ENDED || shadow->connection->stream.truncated || !body_end(&shadow->answer))
        finish(shadow, shadow->status, ERROR_REASON_CUT_SHORT);
    else
        answered(shadow);
}

static void read_answer(struct shadow *shadow) {
    struct connection *connection = shadow->connection;
    while (connection->stream.readable) {
        enum stream_result result = transfer_read(connection, &shadow->worker->buffers);
        if (result == STREAM_BLOCKED)
            return;
        if (result != STREAM_DONE) {
            upstream_ended(shadow, result);
            return;
        }
        if (shadow->state == SHADOW_AWAIT && !read_head(shadow)) {
            // Gone, or more has to come: the list tells.
            if (connection->user != shadow || connection->state != CONNECTION_BUSY)
                return;
        } else {
            wait_at_most(shadow, shadow->variant->timeouts.stream_idle);
            if (!read_body(shadow))
                return;
        }
        stream_look_again(&connection->stream);
    }
}

// ---- the request

static void send_request(struct shadow *shadow) {
    struct connection *connection = shadow->connection;
    struct segment segments[2] = {segment_stays(strbuf_as_slice(&shadow->head)),
                                  segment_stays(strbuf_as_slice(&shadow->body))};
    shadow->state = SHADOW_AWAIT;
    wait_at_most(shadow, shadow->variant->timeouts.first_byte);
    // A failed write is left to the reading side.
    if (outbox_send(&connection->outbox, &connection->stream, segments, shadow->body.len ? 2 : 1) ==
        STREAM_FAILED)
        stream_look_again(&connection->stream);
    read_answer(shadow);
}

static void go_on_connecting(struct shadow *shadow) {
    switch (connection_established(shadow->connection)) {
    case CONNECT_DONE:
        send_request(shadow);
        break;
    case CONNECT_GOES_ON:
        break;
    case CONNECT_FAILED:
        finish(shadow, 502, ERROR_REASON_CONNECT);
        break;
    case CONNECT_TLS_FAILED:
        finish(shadow, 502, ERROR_REASON_TLS);
        break;
    }
}

void shadow_event(struct connection *connection, short what) {
    struct shadow *shadow = connection->user;
    if (connection->state == CONNECTION_CONNECTING || connection->state == CONNECTION_HANDSHAKE) {
        go_on_connecting(shadow);
        return;
    }
    if ((what & EV_WRITE) && !outbox_empty(&connection->outbox) &&
        outbox_flush(&connection->outbox, &connection->stream) == STREAM_FAILED)
        stream_look_again(&connection->stream);
    if (connection->stream.readable)
        read_answer(shadow);
}

static void start(struct shadow *shadow) {
    struct worker *worker = shadow->worker;
    shadow->connection = connection_lease(&worker->connector, shadow->endpoint, shadow);
    if (shadow->connection) {
        shadow->connection->user_kind = SHADOW_CONNECTION;
        send_request(shadow);
        return;
    }
    shadow->connection = connection_dial(&worker->connector, shadow->endpoint, shadow);
    if (!shadow->connection) { // our own want of descriptors is not the variant's fault
        bool ours = descriptors_short(errno);
        finish(shadow, ours ? 503 : 502, ours ? ERROR_REASON_OVERLOADED : ERROR_REASON_CONNECT);
        return;
    }
    shadow->connection->user_kind = SHADOW_CONNECTION;
    wait_to_connect(shadow);
}

// ---- copying

static void drop(struct exchange *exchange, enum mirror_drop reason) {
    const struct plan_variant *variant =
        &exchange->route->variants[exchange->route->live.config->mirror->index];
    counter_add(&variant->series->lanes[exchange->worker->index]->mirror_dropped[reason], 1);
}

static unsigned most_copies(const struct exchange *exchange) {
    return (unsigned)exchange->route->live.config->mirror->max_inflight;
}

void shadow_want(struct exchange *exchange, const char *head_at) {
    struct mirror_gauge *mirrored = exchange->route->mirrored;
    struct worker *worker = exchange->worker;
    if (exchange->framing.upgrade || worker->draining ||
        !decide_mirror(&exchange->route->live, &exchange->decision, random_next(&worker->random)))
        return;
    // Known in advance: nothing is kept for it.
    if (atomic_load_explicit(&mirrored->copies, memory_order_relaxed) >= most_copies(exchange)) {
        drop(exchange, MIRROR_BUSY);
        return;
    }
    if (atomic_load_explicit(&mirrored->pause_ns, memory_order_relaxed) > worker->now_ns) {
        drop(exchange, MIRROR_NO_ENDPOINT);
        return;
    }
    exchange->mirroring = true;
    if (exchange->keeping == KEEP_NOTHING)
        exchange->keeping = KEEP_ALL;
    if (!exchange->head_bytes.at)
        exchange->head_bytes = arena_copy(&exchange->arena, slice_make(head_at, worker->request_head.bytes));
}

// Room among the copies under way. False: there is none.
static bool enter(struct exchange *exchange) {
    atomic_uint *copies = &exchange->route->mirrored->copies;
    if (exchange->worker->shadow_bytes + exchange->kept.len > SHADOW_BYTES ||
        worker_starved(exchange->worker))
        return false;
    if (atomic_fetch_add_explicit(copies, 1, memory_order_relaxed) < most_copies(exchange))
        return true;
    atomic_fetch_sub_explicit(copies, 1, memory_order_relaxed);
    return false;
}

// The request's line and fields, as the mirror's variant gets them: written by the same hand as the
// original's, which goes by what the exchange is asking.
static void write_head(struct exchange *exchange, const struct head *head, struct shadow *shadow,
                       bool edited) {
    size_t serving = exchange->serving;
    bool body_edited = exchange->body_edited, strip_usage = exchange->strip_usage;
    exchange->serving = exchange->route->live.config->mirror->index;
    exchange->body_edited = edited;
    exchange->strip_usage = false;
    forward_request_fields(exchange, head, &shadow->head);
    exchange->serving = serving;
    exchange->body_edited = body_edited;
    exchange->strip_usage = strip_usage;
    if (exchange->framing.kind != BODY_NONE)
        strbuf_format(&shadow->head, "Content-Length: %zu\r\n", shadow->body.len);
    strbuf_literal(&shadow->head, "X-Sluice-Mirror: 1\r\n\r\n");
}

// Copies what is sent. False: the variant's edits cannot be made in the body.
static bool copy(struct exchange *exchange, struct shadow *shadow) {
    struct worker *worker = exchange->worker;
    struct head *head = &worker->request_head;
    struct head_limits unlimited = {SIZE_MAX, SIZE_MAX};
    enum reject reject;
    bool edited;
    must(head_read_request(exchange->head_bytes, &unlimited, head, &reject) == HEAD_COMPLETE);
    if (!edited_copy(exchange, head, exchange->route->live.config->mirror->index, &shadow->body, &edited))
        return false;
    shadow->to_head = exchange->to_head;
    write_head(exchange, head, shadow, edited);
    trace_copy(exchange, &shadow->trace);
    return true;
}

static struct shadow *shadow_new(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    struct shadow *shadow = mem_zero(1, sizeof *shadow);
    shadow->worker = worker;
    shadow->hold = exchange->hold;
    shadow->hold->users++;
    shadow->route = exchange->route;
    shadow->variant = &exchange->route->variants[exchange->route->live.config->mirror->index];
    shadow->start_ns = worker->now_ns;
    list_push(&worker->shadows, &shadow->link);
    return shadow;
}

void shadow_begin(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    exchange->mirroring = false;
    if (worker->draining)
        return;
    if (exchange->keeping == KEEP_LOST || !exchange_has_body(exchange)) {
        drop(exchange, MIRROR_BODY_TOO_LARGE);
        return;
    }
    if (!enter(exchange)) {
        drop(exchange, MIRROR_BUSY);
        return;
    }
    struct shadow *shadow = shadow_new(exchange);
    bool copied = copy(exchange, shadow);
    worker->shadow_bytes += shadow->body.len;
    const struct pool_view *view = shadow->hold->plan->pools[shadow->variant->pool];
    if (!copied || pool_choose(view, worker->index, &worker->random, exchange->unit_hash, NULL,
                               &shadow->endpoint) != CHOICE_MADE) {
        shadow->endpoint = NULL;
        drop(exchange, copied ? MIRROR_NO_ENDPOINT : MIRROR_BODY_UNFIT);
        free_shadow(shadow);
        return;
    }
    counter_add(&lane_of(shadow)->mirrored, 1);
    strbuf_slice(&shadow->request_id, exchange->request_id);
    start(shadow);
}

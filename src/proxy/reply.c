// The proxy's own answers: JSON for clients that accept it, else text; always with the request id, never with
// internals.
#include "base/hex.h"
#include "base/log.h"
#include "exchange.h"
#include "http/writer.h"

#define RETRY_AFTER_SECONDS "1"
#define ALLOW               "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"

bool reply_wants_json(const struct head *head) {
    const struct field *accept = head_find(head, FIELD_ACCEPT);
    if (!accept) {
        const struct field *type = head_find(head, FIELD_CONTENT_TYPE);
        return type && slice_starts(type->value, SLICE("application/json"));
    }
    for (const struct field *field = accept; field < head->fields + head->field_count; field++) {
        if (field->id != FIELD_ACCEPT)
            continue;
        struct slice rest = field->value;
        while (rest.at) {
            struct slice item = slice_cut(&rest, ',');
            struct slice type = slice_trim(slice_cut(&item, ';'));
            if (slice_equal_fold(type, SLICE("application/json")) ||
                slice_equal_fold(type, SLICE("application/*")) || slice_equal_fold(type, SLICE("*/*")))
                return true;
        }
    }
    return false;
}

static void write_body(const struct exchange *exchange, const char *reason, const char *text,
                       struct strbuf *out) {
    if (!exchange->accepts_json) {
        strbuf_format(out, "%s (%s)\nrequest id: %.*s\n", text, reason, (int)exchange->request_id.len,
                      exchange->request_id.at);
        return;
    }
    strbuf_literal(out, "{\"error\":{\"code\":");
    strbuf_json(out, slice_of(reason));
    strbuf_literal(out, ",\"message\":");
    strbuf_json(out, slice_of(text));
    strbuf_literal(out, ",\"request_id\":");
    strbuf_json(out, exchange->request_id);
    strbuf_literal(out, "}}\n");
}

static void write_end(const struct exchange *exchange, struct strbuf *out) {
    if (exchange->asked_to_close)
        strbuf_literal(out, "Connection: close\r\n");
    strbuf_literal(out, "\r\n");
}

static void write_head(struct exchange *exchange, unsigned status, const char *reason, size_t body_len,
                       struct strbuf *out) {
    write_status_line(out, status, SLICE(""));
    forward_date(exchange->worker, out);
    write_field(out, SLICE("Content-Type"),
                exchange->accepts_json ? SLICE("application/json") : SLICE("text/plain; charset=utf-8"));
    strbuf_format(out, "Content-Length: %zu\r\n", body_len);
    write_field(out, SLICE("X-Request-Id"), exchange->request_id);
    write_field(out, SLICE("X-Sluice-Error"), slice_of(reason));
    strbuf_literal(out, "Cache-Control: no-store\r\n");
    if (status == 503)
        strbuf_literal(out, "Retry-After: " RETRY_AFTER_SECONDS "\r\n");
    if (status == 405)
        strbuf_literal(out, ALLOW);
    write_end(exchange, out);
}

static void make_id(struct exchange *exchange) {
    char *id = arena_alloc(&exchange->arena, 32);
    hex_u64(id, random_next(&exchange->worker->random));
    hex_u64(id + 16, random_next(&exchange->worker->random));
    exchange->request_id = slice_make(id, 32);
}

// What is here already of a body that nobody will read is thrown away: when that is all of it, as with most
// API calls, the connection can go on.
static void throw_body_away(struct exchange *exchange) {
    struct session *session = exchange->session;
    while (!exchange->request.complete && session->in) {
        size_t data, used;
        enum reject reject;
        struct buffer *buffer = session->in;
        if (body_feed(&exchange->request, buffer_at(buffer), buffer_len(buffer), &data, &used, &reject) ==
            BODY_REJECTED)
            return;
        buffer->start += (uint32_t)used;
        if (buffer_len(buffer) == 0) {
            buffer_give(buffer);
            session->in = NULL;
        }
    }
}

// Nothing of an attempt goes on, and the answer begins.
static void begin(struct exchange *exchange, unsigned status) {
    attempt_release(exchange, false);
    deadline_clear(&exchange->deadline);
    deadline_clear(&exchange->body_deadline);
    deadline_clear(&exchange->total);
    exchange_move(exchange, EXCHANGE_REPLY);
    exchange->status = status;
    if (!exchange->request_id.len)
        make_id(exchange);
    if (!exchange->asked_to_close && !exchange->worker->draining)
        throw_body_away(exchange);
    if (!exchange->request.complete || exchange->worker->draining)
        exchange->asked_to_close = true;
    strbuf_clear(&exchange->worker->scratch);
}

// Sends the head in the worker's scratch and the body, which moves in.
static void send_answer(struct exchange *exchange, struct strbuf *take_body) {
    struct session *session = exchange->session;
    size_t len = exchange->to_head ? 0 : take_body->len;
    struct segment segments[2] = {segment_copied(strbuf_as_slice(&exchange->worker->scratch)),
                                  {take_body->at, len, SEGMENT_HEAP, take_body->at}};
    switch (outbox_send(&session->outbox, &session->stream, segments, 2)) {
    case STREAM_DONE:
        exchange_finish(exchange, FINISH_REPLIED);
        break;
    case STREAM_FAILED:
        exchange_finish(exchange, FINISH_CLIENT_GONE);
        break;
    default: // goes on when the client reads; a client that never does is cut off
        exchange_wait_for_client(exchange);
        break;
    }
}

static void reply_send(struct exchange *exchange, unsigned status, const char *reason, const char *text) {
    struct strbuf body = {0};
    begin(exchange, status);
    exchange->reply_reason = reason;
    write_body(exchange, reason, text, &body);
    write_head(exchange, status, reason, body.len, &exchange->worker->scratch);
    send_answer(exchange, &body);
}

void reply_error(struct exchange *exchange, enum own_error error) {
    reply_send(exchange, own_error_status(error), own_error_name(error), own_error_text(error));
}

void reply_options(struct exchange *exchange) {
    struct strbuf *head = &exchange->worker->scratch, body = {0};
    begin(exchange, 200);
    write_status_line(head, 200, SLICE(""));
    forward_date(exchange->worker, head);
    strbuf_literal(head, ALLOW "Content-Length: 0\r\n");
    write_field(head, SLICE("X-Request-Id"), exchange->request_id);
    write_end(exchange, head);
    send_answer(exchange, &body);
}

void reply_reject(struct exchange *exchange, enum reject reject) {
    counter_add(&exchange->worker->refused[reject], 1);
    log_debug("request refused", "reason=%s client=%.*s", reject_name(reject),
              (int)exchange->session->peer_len, exchange->session->peer);
    reply_send(exchange, reject_status(reject), reject_name(reject), reject_text(reject));
}

// Bodies both ways, without collecting them. Each direction holds at most one buffer that the other side has
// not taken; while it does, its source is not read (back-pressure).
#include "base/log.h"
#include "exchange.h"
#include "http/hop.h"
#include "http/parser.h"
#include "http/writer.h"

// Interim responses passed on per exchange; more is no server that we know.
#define INTERIM_MOST 10

static const struct slice chunk_end = {"\r\n", 2}, chunk_last = {"\r\n0\r\n\r\n", 7},
                          chunk_none = {CHUNK_LAST, 5};

// ---- the request, client -> upstream
// --------------------------------------------------------------------------------------

static void body_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, body_deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    counter_add(&worker->refused[REFUSED_BODY_TIMEOUT], 1);
    attempt_release(exchange, false);
    exchange->asked_to_close = true;
    if (exchange->state == EXCHANGE_AWAIT)
        reply_send(exchange, 408, "body_timeout", "the request body did not arrive in time");
    else
        exchange_finish(exchange, FINISH_CLIENT_GONE);
    worker_leave(worker);
}

// The first write of an attempt: the head and what is kept of the body. Returns the number of segments.
static unsigned opening(struct exchange *exchange, struct segment *segments) {
    struct strbuf *head = &exchange->head_out;
    unsigned count = 0;
    exchange->head_sent = true;
    if (exchange->kept.len == 0) {
        if (exchange->chunk_request && exchange->request.complete)
            strbuf_literal(head, CHUNK_LAST);
        segments[count++] = segment_stays(strbuf_as_slice(head));
        return count;
    }
    if (exchange->chunk_request) {
        char line[CHUNK_LINE_BYTES];
        size_t len = chunk_line_before(line + sizeof line, exchange->kept.len);
        strbuf_append(head, line + sizeof line - len, len);
    }
    segments[count++] = segment_stays(strbuf_as_slice(head));
    segments[count++] = segment_stays(strbuf_as_slice(&exchange->kept));
    if (exchange->chunk_request)
        segments[count++] = segment_stays(exchange->request.complete ? chunk_last : chunk_end);
    return count;
}

// Another attempt needs the same bytes: they are kept up to the limit. Kept bytes that are being written must
// not move.
static void keep(struct exchange *exchange, const char *at, size_t len) {
    if (exchange->keeping != KEEP_ALL)
        return;
    size_t most = (size_t)exchange_config(exchange)->limits.buffered_body_bytes;
    if (exchange->kept.len + len > most) {
        exchange->keeping = KEEP_LOST;
        return;
    }
    strbuf_append(&exchange->kept, at, len);
}

// Frames data[0..len), which lies in `buffer`, for the upstream. Headroom and tailroom, or the framing that
// was taken out, leave the place for it.
static void frame_chunk(struct buffer *buffer, size_t len, bool last) {
    char *data = buffer_at(buffer);
    if (len) {
        size_t line = chunk_line_before(data, len);
        buffer->start -= (uint32_t)line;
    }
    const struct slice *tail = !last ? &chunk_end : len ? &chunk_last : &chunk_none;
    if (!len && !last) {
        buffer->end = buffer->start;
        return;
    }
    memcpy(data + len, tail->at, tail->len);
    buffer->end = (uint32_t)(data + len + tail->len - buffer->bytes);
}

// Bytes behind the body belong to the next request: they move to a buffer of their own.
static struct buffer *split_off(struct session *session, struct buffer *buffer, size_t used) {
    size_t rest = buffer_len(buffer) - used;
    if (rest == 0)
        return NULL;
    struct buffer *next = buffer_take(&session->worker->buffers);
    memcpy(next->bytes + next->end, buffer_at(buffer) + used, rest);
    next->end += (uint32_t)rest;
    return next;
}

static void refuse_body(struct exchange *exchange, enum reject reject) {
    attempt_release(exchange, false);
    exchange->asked_to_close = true;
    if (exchange->state != EXCHANGE_AWAIT) {
        exchange_finish(exchange, FINISH_CLIENT_GONE);
        return;
    }
    if (reject != REJECT_NONE) {
        reply_reject(exchange, reject);
        return;
    }
    counter_add(&exchange->worker->refused[REFUSED_BODY_TOO_LARGE], 1);
    reply_send(exchange, 413, "body_too_large", "the request body is larger than allowed");
}

// Takes the body's next bytes from session->in into *segment. False: the exchange ended (refused).
static bool next_part(struct exchange *exchange, struct segment *segment) {
    struct session *session = exchange->session;
    struct buffer *buffer = session->in;
    size_t data, used;
    enum reject reject = REJECT_NONE;
    enum body_result result =
        body_feed(&exchange->request, buffer_at(buffer), buffer_len(buffer), &data, &used, &reject);
    if (result == BODY_REJECTED ||
        exchange->request.bytes > (uint64_t)exchange_config(exchange)->limits.body_bytes) {
        refuse_body(exchange, reject);
        return false;
    }
    session->in = split_off(session, buffer, used);
    buffer->end = buffer->start + (uint32_t)data;
    keep(exchange, buffer_at(buffer), data);
    if (exchange->chunk_request)
        frame_chunk(buffer, data, exchange->request.complete);
    *segment = segment_buffer(buffer);
    return true;
}

static bool request_sent(struct exchange *exchange, enum stream_result result) {
    if (result == STREAM_FAILED) {
        // The upstream may have answered before it closed: its side is read, and decides.
        exchange->connection->stream.readable = true;
        transfer_response(exchange);
        return false;
    }
    exchange->touched = true;
    return result == STREAM_DONE;
}

static void wait_for_body(struct exchange *exchange) {
    deadline_set(&exchange->worker->deadlines, &exchange->body_deadline,
                 exchange_config(exchange)->timeouts.client_idle, exchange->worker->now_ns, body_expired);
}

// Sends the opening with the body bytes that are already here, in one write.
static bool send_opening(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    struct segment segments[OUTBOX_SEGMENTS];
    unsigned count = opening(exchange, segments);
    if (!exchange->request.complete && session->in && !exchange->kept.len) {
        struct segment part;
        if (!next_part(exchange, &part))
            return false;
        segments[count++] = part;
    }
    return request_sent(exchange, outbox_send(&connection->outbox, &connection->stream, segments, count));
}

void transfer_request(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    if (!outbox_empty(&connection->outbox) || (!exchange->head_sent && !send_opening(exchange)))
        return;
    while (!exchange->request.complete) {
        enum stream_result result = session->in ? STREAM_DONE : session_read(session);
        if (result == STREAM_BLOCKED) {
            wait_for_body(exchange);
            return;
        }
        if (result != STREAM_DONE) { // the client broke off inside its body
            exchange_client_gone(exchange);
            return;
        }
        struct segment part;
        if (!next_part(exchange, &part) ||
            !request_sent(exchange, outbox_send(&connection->outbox, &connection->stream, &part, 1)))
            return;
        if (exchange->state == EXCHANGE_AWAIT) // the upstream's silence counts from the last byte it was sent
            attempt_await(exchange);
    }
    deadline_clear(&exchange->body_deadline);
}

// ---- the response, upstream -> client
// -------------------------------------------------------------------------------------

static void bad_response(struct exchange *exchange, enum reject reject) {
    log_warn("response refused", "route=%s endpoint=%s reason=%s request_id=%.*s",
             exchange->route->live.config->name, exchange->endpoint->url, reject_name(reject),
             (int)exchange->request_id.len, exchange->request_id.at);
    attempt_failed(exchange, &(struct failure){0, 502, ERROR_REASON_BAD_RESPONSE});
}

static void cut_short(struct exchange *exchange, enum error_reason reason) {
    if (!exchange->charged_ns)
        exchange->blame = reason;
    attempt_count_failure(exchange, reason);
    exchange_finish(exchange, FINISH_CUT_SHORT);
}

static void silence_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    if (outbox_empty(&exchange->session->outbox))
        cut_short(exchange, ERROR_REASON_TIMEOUT);
    else // it is the client that takes nothing
        exchange_client_gone(exchange);
    worker_leave(worker);
}

static void response_complete(struct exchange *exchange) {
    struct connection *connection = exchange->connection;
    // Bytes behind the response, or an unfinished request, make the connection unusable for another exchange.
    bool reusable = exchange->response_framing.keep_alive && exchange->request.complete && !connection->in &&
                    exchange->response_framing.kind != BODY_UNTIL_CLOSE;
    attempt_count_failure(exchange, exchange->status >= 500 ? ERROR_REASON_5XX : ERROR_REASON_NONE);
    attempt_release(exchange, reusable);
    deadline_clear(&exchange->body_deadline);
    exchange_move(exchange, EXCHANGE_FLUSH);
    if (outbox_empty(&exchange->session->outbox))
        exchange_finish(exchange, FINISH_COMPLETE);
    else
        exchange_wait_for_client(exchange);
}

// A 1xx on its way to the final response: passed on to clients that know them (RFC 9110 15.2).
static enum stream_result pass_interim(struct exchange *exchange, const struct head *head) {
    struct session *session = exchange->session;
    if (head->status == 101 || ++exchange->interim > INTERIM_MOST) {
        bad_response(exchange, REJECT_UNEXPECTED_SWITCH);
        return STREAM_FAILED;
    }
    if (exchange->old_client || (head->status == 100 && exchange->continue_sent))
        return STREAM_DONE;
    struct strbuf *out = &exchange->worker->scratch;
    strbuf_clear(out);
    write_status_line(out, head->status, head->reason);
    hop_mark_response((struct head *)head);
    write_kept_fields(out, head);
    strbuf_literal(out, "\r\n");
    struct segment segment = segment_copied(strbuf_as_slice(out));
    if (outbox_send(&session->outbox, &session->stream, &segment, 1) == STREAM_FAILED) {
        exchange_client_gone(exchange);
        return STREAM_FAILED;
    }
    return STREAM_DONE;
}

// What became of the bytes in connection->in.
enum progress { PROGRESS_ON, PROGRESS_MORE, PROGRESS_ENDED };

static enum progress begin_response(struct exchange *exchange, const struct head *head) {
    if (attempt_again_on_status(exchange, head->status))
        return PROGRESS_ENDED;
    exchange_move(exchange, EXCHANGE_RESPOND);
    exchange->status = head->status;
    exchange->first_byte_ns = exchange->worker->now_ns;
    if (head->status >= 500 && !exchange->charged_ns)
        exchange->blame = ERROR_REASON_5XX;
    body_start(&exchange->response, &exchange->response_framing);
    strbuf_clear(&exchange->worker->scratch);
    forward_response_head(exchange, head, &exchange->worker->scratch);
    return PROGRESS_ON;
}

// Reads a head from connection->in; on PROGRESS_ON the client's head stands in worker->scratch and must be
// sent.
static enum progress read_response_head(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    struct head *head = &worker->response_head;
    struct head_limits limits = {SIZE_MAX, 65536};
    for (;;) {
        struct buffer *buffer = exchange->connection->in;
        if (!buffer)
            return PROGRESS_MORE;
        struct slice bytes = slice_make(buffer_at(buffer), buffer_len(buffer));
        enum reject reject = REJECT_NONE;
        enum head_result result = head_read_response(bytes, &limits, head, &reject);
        if (result == HEAD_PARTIAL && buffer_space(buffer) == 0) {
            result = HEAD_REJECTED;
            reject = REJECT_HEAD_TOO_LARGE;
        }
        if (result == HEAD_PARTIAL)
            return PROGRESS_MORE;
        if (result == HEAD_COMPLETE)
            reject = framing_of_response(head, exchange->to_head, &exchange->response_framing);
        if (reject == REJECT_NONE &&
            !parser_agrees_on_response(slice_make(bytes.at, head->bytes), head, &exchange->response_framing,
                                       exchange->to_head))
            reject = REJECT_PARSERS_DISAGREE;
        if (reject != REJECT_NONE) {
            bad_response(exchange, reject);
            return PROGRESS_ENDED;
        }
        buffer->start += (uint32_t)head->bytes;
        if (head->status >= 200)
            return begin_response(exchange, head);
        if (pass_interim(exchange, head) == STREAM_FAILED)
            return PROGRESS_ENDED;
        if (buffer_len(buffer) == 0) {
            buffer_give(buffer);
            exchange->connection->in = NULL;
        }
    }
}

// Sends what is in connection->in (perhaps nothing) to the client, behind `head` when that is not empty.
static enum progress pass_body(struct exchange *exchange, struct slice head) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    struct buffer *buffer = connection->in;
    struct segment segments[2];
    unsigned count = 0;
    bool extra = false;
    if (head.len)
        segments[count++] = segment_copied(head);
    connection->in = NULL;
    if (buffer) {
        size_t data, used;
        enum reject reject;
        char *at = buffer_at(buffer);
        enum body_result result =
            body_feed(&exchange->response, at, buffer_len(buffer), &data, &used, &reject);
        if (result == BODY_REJECTED) {
            buffer_give(buffer);
            cut_short(exchange, ERROR_REASON_BAD_RESPONSE);
            return PROGRESS_ENDED;
        }
        extra = used < buffer_len(buffer);
        buffer->end = buffer->start + (uint32_t)data;
        exchange->response_bytes += data;
        if (exchange->chunk_response)
            frame_chunk(buffer, data, exchange->response.complete);
        segments[count++] = segment_buffer(buffer);
    }
    if (extra) // the upstream sent more than it announced: its connection ends here
        exchange->response_framing.keep_alive = false;
    if (outbox_send(&session->outbox, &session->stream, segments, count) == STREAM_FAILED) {
        exchange_client_gone(exchange);
        return PROGRESS_ENDED;
    }
    if (!exchange->response.complete)
        return PROGRESS_ON;
    response_complete(exchange);
    return PROGRESS_ENDED;
}

// The upstream closed or reset the connection.
static void upstream_ended(struct exchange *exchange, enum stream_result result) {
    struct session *session = exchange->session;
    if (exchange->state != EXCHANGE_RESPOND) {
        attempt_failed(exchange, &(struct failure){RETRY_RESET_BEFORE_RESPONSE, 502, ERROR_REASON_RESET});
        return;
    }
    if (result != STREAM_ENDED || !body_end(&exchange->response)) {
        cut_short(exchange, ERROR_REASON_CUT_SHORT);
        return;
    }
    if (exchange->chunk_response) {
        struct segment last = segment_stays(chunk_none);
        if (outbox_send(&session->outbox, &session->stream, &last, 1) == STREAM_FAILED) {
            exchange_client_gone(exchange);
            return;
        }
    }
    response_complete(exchange);
}

static enum stream_result read_connection(struct connection *connection, struct buffer_pool *pool) {
    if (!connection->in)
        connection->in = buffer_take(pool);
    struct buffer *buffer = connection->in;
    size_t got;
    enum stream_result result =
        stream_read(&connection->stream, buffer->bytes + buffer->end, buffer_space(buffer), &got);
    buffer->end += (uint32_t)got;
    if (buffer_len(buffer) == 0) {
        buffer_give(buffer);
        connection->in = NULL;
    }
    return result;
}

// One read's worth. False: stop.
static bool pull(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    enum stream_result result = read_connection(exchange->connection, &worker->buffers);
    if (result == STREAM_BLOCKED)
        return false;
    if (result != STREAM_DONE) {
        upstream_ended(exchange, result);
        return false;
    }
    struct slice head = {0};
    if (exchange->state == EXCHANGE_AWAIT) {
        enum progress progress = read_response_head(exchange);
        if (progress != PROGRESS_ON)
            return progress == PROGRESS_MORE;
        head = strbuf_as_slice(&worker->scratch);
    }
    deadline_set(&worker->deadlines, &exchange->deadline, exchange_variant(exchange)->timeouts.stream_idle,
                 worker->now_ns, silence_expired);
    return pass_body(exchange, head) == PROGRESS_ON;
}

void transfer_response(struct exchange *exchange) {
    struct connection *connection = exchange->connection;
    // After a pull that says stop the exchange may be gone.
    while (connection->stream.readable && outbox_empty(&exchange->session->outbox))
        if (!pull(exchange))
            return;
}

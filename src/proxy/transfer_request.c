// The request, client -> upstream, without collecting it: at most one buffer that the upstream has not taken;
// while there is one, the client is not read (back-pressure).
#include "edited.h"
#include "exchange.h"
#include "frame.h"
#include "shadow.h"
#include <limits.h>

// An upstream that has said nothing to Expect: 100-continue for so long does not know it; the client is told
// to go on (RFC 9110 10.1.1 lets a proxy do so).
#define EXPECT_MS 1000

// ---- the request, client -> upstream

static void body_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, body_deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    exchange_body_late(exchange);
    worker_leave(worker);
}

// The first write of an attempt: the head and what is kept of the body. Returns the number of segments.
static unsigned opening(struct exchange *exchange, struct segment *segments) {
    struct strbuf *head = &exchange->head_out;
    struct slice body = edited_body(exchange);
    unsigned count = 0;
    exchange->head_sent = true;
    bool ends = exchange->chunk_request && exchange->request.complete;
    if (body.len == 0) {
        if (ends && !exchange->last_chunk.len)
            strbuf_literal(head, CHUNK_LAST);
        segments[count++] = segment_stays(strbuf_as_slice(head));
        if (ends && exchange->last_chunk.len)
            segments[count++] = segment_stays(strbuf_as_slice(&exchange->last_chunk));
        return count;
    }
    if (exchange->chunk_request) {
        char line[CHUNK_LINE_BYTES];
        size_t len = chunk_line_before(line + sizeof line, body.len);
        strbuf_append(head, line + sizeof line - len, len);
    }
    segments[count++] = segment_stays(strbuf_as_slice(head));
    segments[count++] = segment_stays(body);
    if (exchange->chunk_request)
        segments[count++] = segment_stays(ends && !exchange->last_chunk.len ? frame_last : frame_end);
    if (ends && exchange->last_chunk.len)
        segments[count++] = segment_stays(strbuf_as_slice(&exchange->last_chunk));
    return count;
}

// Another attempt needs the same bytes: they are kept up to the limit. Kept bytes that are being written must
// not move.
static void keep(struct exchange *exchange, const char *at, size_t len) {
    if (exchange->keeping != KEEP_ALL)
        return;
    size_t most = (size_t)exchange_config(exchange)->limits.buffered_body_bytes;
    if (exchange->kept.len + len > most || worker_starved(exchange->worker)) {
        exchange->keeping = KEEP_LOST;
        return;
    }
    strbuf_append(&exchange->kept, at, len);
    exchange_weigh(exchange);
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
    reply_error(exchange, OWN_ERROR_BODY_TOO_LARGE);
}

// Takes the body's next bytes from session->in into segments behind *count. False: the exchange ended
// (refused).
static bool next_part(struct exchange *exchange, struct segment *segments, unsigned *count) {
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
    exchange_note_last_chunk(exchange);
    if (exchange->chunk_request)
        frame_chunk(buffer, data, exchange->request.complete && !exchange->last_chunk.len);
    segments[(*count)++] = segment_buffer(buffer);
    if (exchange->chunk_request && exchange->last_chunk.len)
        segments[(*count)++] = segment_stays(strbuf_as_slice(&exchange->last_chunk));
    return true;
}

static bool request_sent(struct exchange *exchange, enum stream_result result) {
    if (result == STREAM_FAILED) {
        // The upstream may have answered before it closed: its side is read, and decides.
        stream_look_again(&exchange->connection->stream);
        transfer_response(exchange);
        return false;
    }
    exchange->touched = true;
    if (exchange->state == EXCHANGE_AWAIT) // the upstream's silence counts from the last byte it was offered
        attempt_await(exchange);
    return result == STREAM_DONE;
}

static void wait_for_body(struct exchange *exchange);

static void expect_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, body_deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    if (exchange->continue_sent || exchange_let_body_through(exchange))
        wait_for_body(exchange);
    worker_leave(worker);
}

// It is the client's turn: meanwhile the upstream owes nothing, and its variant is not charged with the
// silence.
static void wait_for_body(struct exchange *exchange) {
    if (exchange->state == EXCHANGE_AWAIT)
        deadline_clear(&exchange->deadline);
    // It may wait for a word of the upstream's.
    if (exchange->framing.expect_continue && !exchange->continue_sent && !exchange->request.bytes &&
        exchange->state == EXCHANGE_AWAIT) {
        deadline_set(&exchange->worker->deadlines, &exchange->body_deadline, EXPECT_MS,
                     exchange->worker->now_ns, expect_expired);
        return;
    }
    deadline_set(&exchange->worker->deadlines, &exchange->body_deadline, exchange->times->client_idle,
                 exchange->worker->now_ns, body_expired);
}

// Sends the opening with the body bytes that are already here, in one write.
static bool send_opening(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    struct segment segments[OUTBOX_SEGMENTS];
    unsigned count = opening(exchange, segments);
    if (!exchange->request.complete && session->in && !exchange->kept.len) {
        if (!next_part(exchange, segments, &count))
            return false;
    }
    return request_sent(exchange, outbox_send(&connection->outbox, &connection->stream, segments, count));
}

// ---- large bodies that nobody looks at

static bool may_splice(const struct exchange *exchange) {
    return exchange->framing.kind == BODY_LENGTH && exchange->keeping != KEEP_ALL &&
           !exchange->chunk_request && !exchange->mirroring && !exchange->session->in &&
           !exchange->session->stream.tls && !exchange->connection->stream.tls;
}

// The client's next bytes into a segment. As session_read.
static enum stream_result fetch_spliced(struct exchange *exchange, struct pipe *take_pipe,
                                        struct segment *segment) {
    struct session *session = exchange->session;
    size_t got, most = exchange->request.left < SSIZE_MAX ? (size_t)exchange->request.left : SSIZE_MAX;
    enum stream_result result = pipe_fill(take_pipe, &session->stream, most, &got);
    session->ended = session->ended || result == STREAM_ENDED;
    body_passed(&exchange->request, got);
    *segment = segment_pipe(take_pipe);
    if (result != STREAM_DONE)
        pipe_give(take_pipe);
    return result;
}

void transfer_request(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    if (!outbox_empty(&connection->outbox) || (!exchange->head_sent && !send_opening(exchange)))
        return;
    while (!exchange->request.complete) {
        struct segment parts[2];
        unsigned count = 0;
        struct pipe *pipe = may_splice(exchange) ? worker_pipe(exchange->worker, exchange->request.left,
                                                               exchange->framing.length, true)
                                                 : NULL;
        enum stream_result result = pipe          ? fetch_spliced(exchange, pipe, &parts[count++])
                                    : session->in ? STREAM_DONE
                                                  : session_read(session);
        if (result == STREAM_BLOCKED) {
            wait_for_body(exchange);
            return;
        }
        if (result != STREAM_DONE) { // the client broke off inside its body
            exchange_client_gone(exchange);
            return;
        }
        deadline_clear(&exchange->body_deadline);
        if ((!pipe && !next_part(exchange, parts, &count)) ||
            !request_sent(exchange, outbox_send(&connection->outbox, &connection->stream, parts, count)))
            return;
    }
    deadline_clear(&exchange->body_deadline);
    if (exchange->mirroring)
        shadow_begin(exchange);
}

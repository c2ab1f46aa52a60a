// The response, upstream -> client, as it arrives: at most one buffer that the client has not taken; while
// there is one, the upstream is not read (back-pressure).
#include "affinity.h"
#include "base/log.h"
#include "exchange.h"
#include "frame.h"
#include "http/hop.h"
#include "http/parser.h"
#include "http/trailer.h"
#include "http/writer.h"
#include "record.h"
#include "refusal.h"
#include "stripped.h"
#include "trace.h"
#include "tunnel.h"
#include <limits.h>

// An answer that has said nothing for so long is read once more without having been asked to: a reset that
// came together with bytes is told by no event of its own.
#define LOOK_MS 200

// Interim responses passed on per exchange; more is no server that we know.
#define INTERIM_MOST 10

// ---- the response, upstream -> client

static void bad_response(struct exchange *exchange, enum reject reject) {
    log_warn("response refused", "route=%s endpoint=%s reason=%s request_id=%.*s",
             exchange->route->live.config->name, exchange->endpoint->url, reject_name(reject),
             (int)exchange->request_id.len, exchange->request_id.at);
    attempt_failed(exchange, &(struct failure){0, 502, ERROR_REASON_BAD_RESPONSE, false});
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

static void look(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    int64_t silence = exchange->times->stream_idle;
    if (silence >= 0)
        silence -= LOOK_MS;
    deadline_set(&worker->deadlines, &exchange->deadline, silence, worker->now_ns, silence_expired);
    stream_look_again(&exchange->connection->stream);
    transfer_response(exchange);
    worker_leave(worker);
}

// Something has come from the upstream.
static void wait_for_more(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    int64_t silence = exchange->times->stream_idle;
    bool first_look = silence < 0 || silence > LOOK_MS;
    deadline_set(&worker->deadlines, &exchange->deadline, first_look ? LOOK_MS : silence, worker->now_ns,
                 first_look ? look : silence_expired);
}

// For what the answer itself says: the first reason counts, and none once the fallback was asked.
static void blame(struct exchange *exchange, enum error_reason reason) {
    if (!exchange->charged_ns && exchange->blame == ERROR_REASON_NONE)
        exchange->blame = reason;
}

static void measure(struct exchange *exchange, struct slice bytes) {
    if (meter_pass(&exchange->meter, bytes, exchange->worker->now_ns))
        record_first_token(exchange, exchange->worker->now_ns);
    if (exchange->meter.usage.failed)
        blame(exchange, ERROR_REASON_ERROR_EVENT);
}

static void response_complete(struct exchange *exchange) {
    struct connection *connection = exchange->connection;
    // Bytes behind the response, or an unfinished request, make the connection unusable for another exchange.
    bool reusable = exchange->response_framing.keep_alive && exchange->request.complete && !connection->in &&
                    exchange->response_framing.kind != BODY_UNTIL_CLOSE;
    blame(exchange, meter_fault(&exchange->meter, true));
    attempt_count_failure(exchange,
                          exchange->status >= 500 ? ERROR_REASON_5XX : meter_fault(&exchange->meter, true));
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
    exchange->interim++;
    if (head->status == 101 || exchange->interim > INTERIM_MOST) {
        bad_response(exchange, head->status == 101 ? REJECT_UNEXPECTED_SWITCH : REJECT_TOO_MANY_INTERIM);
        return STREAM_FAILED;
    }
    if (exchange->old_client || (head->status == 100 && exchange->continue_sent))
        return STREAM_DONE;
    if (head->status == 100)
        exchange->continue_sent = true;
    else
        exchange->begun = true;
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
    refusal_note(exchange, head);
    if (attempt_again_on_status(exchange, head->status))
        return PROGRESS_ENDED;
    exchange_move(exchange, EXCHANGE_RESPOND);
    exchange->status = head->status;
    exchange->first_byte_ns = exchange->worker->now_ns;
    trace_answered(exchange, head->status, ERROR_REASON_NONE);
    if (head->status >= 500 && !exchange->charged_ns)
        exchange->blame = ERROR_REASON_5XX;
    meter_begin(&exchange->meter, head);
    stripped_begin(exchange);
    if (exchange->route->tasks)
        affinity_begin(exchange, head);
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
        if (result == HEAD_PARTIAL && buffer_space(buffer) == 0)
            buffer_compact(buffer);
        if (result == HEAD_PARTIAL && buffer_space(buffer) == 0) {
            result = HEAD_REJECTED;
            reject = REJECT_HEAD_TOO_LARGE;
        }
        if (result == HEAD_PARTIAL)
            return PROGRESS_MORE;
        if (result == HEAD_COMPLETE)
            reject = framing_of_response(head, exchange->to_head, &exchange->response_framing);
        if (reject == REJECT_NONE && !exchange->response_framing.plain &&
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
        if (head->status == 101 && exchange->framing.upgrade && exchange->response_framing.upgrade) {
            tunnel_begin(exchange, head);
            return PROGRESS_ENDED;
        }
        if (pass_interim(exchange, head) == STREAM_FAILED)
            return PROGRESS_ENDED;
        if (buffer_len(buffer) == 0) {
            buffer_give(buffer);
            exchange->connection->in = NULL;
        }
    }
}

// Chunks that cannot be read. When the client has seen nothing yet, it can still be told so.
static void refuse_body(struct exchange *exchange, bool head_waits, enum reject reject) {
    if (!head_waits) {
        cut_short(exchange, ERROR_REASON_BAD_RESPONSE);
        return;
    }
    exchange_move(exchange, EXCHANGE_AWAIT);
    exchange->status = 0;
    exchange->first_byte_ns = 0;
    bad_response(exchange, reject);
}

// The body's next `len` bytes, which stand in `take_buffer`, as they go to the client.
static struct segment part(struct exchange *exchange, struct buffer *take_buffer, size_t len, bool last) {
    if (exchange->stripping)
        return stripped_pass(exchange, take_buffer, len, last);
    exchange->response_bytes += len;
    if (exchange->chunk_response)
        frame_chunk(take_buffer, len, last);
    return segment_buffer(take_buffer);
}

// Sends what is in connection->in (perhaps nothing) to the client, behind `head` when that is not empty.
static enum progress pass_body(struct exchange *exchange, struct slice head) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    struct buffer *buffer = connection->in;
    struct segment segments[3];
    struct strbuf last = {0}; // the last chunk, when there are trailers
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
            refuse_body(exchange, head.len > 0, reject);
            return PROGRESS_ENDED;
        }
        extra = used < buffer_len(buffer);
        measure(exchange, slice_make(at, data));
        if (exchange->learner)
            affinity_read(exchange, slice_make(at, data));
        buffer->end = buffer->start + (uint32_t)data;
        bool trailers = exchange->response_trailers.len && exchange->response.complete &&
                        trailer_write(strbuf_as_slice(&exchange->response_trailers), SLICE_NONE,
                                      exchange->response_ending, &last);
        segments[count++] = part(exchange, buffer, data, exchange->response.complete && !trailers);
        if (trailers)
            segments[count++] = segment_copied(strbuf_as_slice(&last));
    }
    if (extra) // the upstream sent more than it announced: its connection ends here
        exchange->response_framing.keep_alive = false;
    enum stream_result sent = outbox_send(&session->outbox, &session->stream, segments, count);
    strbuf_free(&last);
    if (sent == STREAM_FAILED) {
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
        attempt_failed(exchange,
                       &(struct failure){RETRY_RESET_BEFORE_RESPONSE, 502, ERROR_REASON_RESET, false});
        return;
    }
    // Under TLS, an end that does not say so may be another's doing (RFC 9112 9.8); a body that has its
    // length or its last chunk is not here any more.
    if (result != STREAM_ENDED || exchange->connection->stream.truncated || !body_end(&exchange->response)) {
        cut_short(exchange, ERROR_REASON_CUT_SHORT);
        return;
    }
    if (exchange->chunk_response || exchange->stripping) {
        struct segment last = exchange->stripping ? stripped_end(exchange) : segment_stays(frame_none);
        if (outbox_send(&session->outbox, &session->stream, &last, 1) == STREAM_FAILED) {
            exchange_client_gone(exchange);
            return;
        }
    }
    response_complete(exchange);
}

enum stream_result transfer_read(struct connection *connection, struct buffer_pool *pool) {
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

// ---- large bodies that nobody looks at

static bool may_splice(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_RESPOND && exchange->response_framing.kind == BODY_LENGTH &&
           exchange->meter.usage.source == USAGE_NONE && !exchange->learner && !exchange->stripping &&
           !exchange->session->stream.tls && !exchange->connection->stream.tls && !exchange->connection->in;
}

// One pipe's worth. False: stop.
static bool pull_spliced(struct exchange *exchange, struct pipe *take_pipe) {
    struct worker *worker = exchange->worker;
    struct session *session = exchange->session;
    size_t got, most = exchange->response.left < SSIZE_MAX ? (size_t)exchange->response.left : SSIZE_MAX;
    enum stream_result result = pipe_fill(take_pipe, &exchange->connection->stream, most, &got);
    if (result != STREAM_DONE) {
        pipe_give(take_pipe);
        if (result != STREAM_BLOCKED)
            upstream_ended(exchange, result);
        return false;
    }
    body_passed(&exchange->response, got);
    exchange->response_bytes += got;
    if (!exchange->meter.first_body_ns && meter_begin_body(&exchange->meter, worker->now_ns))
        record_first_token(exchange, worker->now_ns);
    wait_for_more(exchange);
    struct segment segment = segment_pipe(take_pipe);
    if (outbox_send(&session->outbox, &session->stream, &segment, 1) == STREAM_FAILED) {
        exchange_client_gone(exchange);
        return false;
    }
    if (!exchange->response.complete)
        return true;
    response_complete(exchange);
    return false;
}

// One read's worth. False: stop.
static bool pull(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    struct pipe *pipe = may_splice(exchange) ? worker_pipe(worker, exchange->response.left,
                                                           exchange->response_framing.length, false)
                                             : NULL;
    if (pipe)
        return pull_spliced(exchange, pipe);
    enum stream_result result = transfer_read(exchange->connection, &worker->buffers);
    if (result == STREAM_BLOCKED)
        return false;
    if (result != STREAM_DONE) {
        upstream_ended(exchange, result);
        return false;
    }
    struct slice head = {0};
    enum progress progress = PROGRESS_ON;
    if (exchange->state == EXCHANGE_AWAIT) {
        progress = read_response_head(exchange);
        head = strbuf_as_slice(&worker->scratch);
    }
    if (progress == PROGRESS_ON) {
        wait_for_more(exchange);
        progress = pass_body(exchange, head);
    }
    if (progress == PROGRESS_MORE) // of the head: a reset may have come with its beginning
        stream_look_again(&exchange->connection->stream);
    return progress != PROGRESS_ENDED;
}

void transfer_response(struct exchange *exchange) {
    struct connection *connection = exchange->connection;
    // After a pull that says stop the exchange may be gone.
    while (connection->stream.readable && outbox_empty(&exchange->session->outbox))
        if (!pull(exchange))
            return;
}

#include "tunnel.h"

#include "http/hop.h"
#include "http/writer.h"
#include "record.h"

static void silence_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    exchange_finish(exchange, FINISH_SILENT);
    worker_leave(worker);
}

static void note_life(struct exchange *exchange) {
    deadline_set(&exchange->worker->deadlines, &exchange->deadline, exchange->times->stream_idle,
                 exchange->worker->now_ns, silence_expired);
}

static void upstream_broke(struct exchange *exchange) {
    if (!exchange->charged_ns)
        exchange->blame = ERROR_REASON_CUT_SHORT;
    attempt_count_failure(exchange, ERROR_REASON_CUT_SHORT);
    exchange_finish(exchange, FINISH_CUT_SHORT);
}

// One side has sent its last byte. False: both have, and the exchange is over.
static bool side_ended(struct exchange *exchange, unsigned side, struct stream *other) {
    exchange->ended |= side;
    if (exchange->ended == (ENDED_CLIENT | ENDED_UPSTREAM)) {
        attempt_count_failure(exchange, ERROR_REASON_NONE);
        exchange_finish(exchange, FINISH_COMPLETE);
        return false;
    }
    stream_finish(other);
    return true;
}

void tunnel_client(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    while (outbox_empty(&connection->outbox) && !(exchange->ended & ENDED_CLIENT)) {
        enum stream_result result = STREAM_DONE;
        if (!session->in)
            result = session->stream.readable ? session_read(session) : STREAM_BLOCKED;
        if (result == STREAM_BLOCKED)
            return;
        if (result == STREAM_FAILED) {
            exchange_client_gone(exchange);
            return;
        }
        if (result == STREAM_ENDED) {
            side_ended(exchange, ENDED_CLIENT, &connection->stream);
            return;
        }
        struct segment segment = segment_buffer(session->in);
        session->in = NULL;
        exchange->request.bytes += segment.len;
        note_life(exchange);
        if (outbox_send(&connection->outbox, &connection->stream, &segment, 1) == STREAM_FAILED) {
            upstream_broke(exchange);
            return;
        }
    }
}

void tunnel_upstream(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    while (outbox_empty(&session->outbox) && !(exchange->ended & ENDED_UPSTREAM)) {
        enum stream_result result = STREAM_DONE;
        if (!connection->in)
            result = connection->stream.readable ? transfer_read(connection, &exchange->worker->buffers)
                                                 : STREAM_BLOCKED;
        if (result == STREAM_BLOCKED)
            return;
        if (result == STREAM_FAILED) {
            upstream_broke(exchange);
            return;
        }
        if (result == STREAM_ENDED) {
            side_ended(exchange, ENDED_UPSTREAM, &session->stream);
            return;
        }
        struct segment segment = segment_buffer(connection->in);
        connection->in = NULL;
        exchange->response_bytes += segment.len;
        note_life(exchange);
        if (outbox_send(&session->outbox, &session->stream, &segment, 1) == STREAM_FAILED) {
            exchange_client_gone(exchange);
            return;
        }
    }
}

static void write_switch(struct exchange *exchange, struct head *head, struct strbuf *out) {
    hop_mark_response(head);
    write_status_line(out, 101, head->reason);
    write_kept_fields(out, head);
    strbuf_literal(out, "Connection: upgrade\r\n");
    write_field(out, SLICE("Upgrade"), SLICE("websocket"));
    forward_own_fields(exchange, out);
    strbuf_literal(out, "\r\n");
}

void tunnel_begin(struct exchange *exchange, struct head *head) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    struct strbuf *out = &exchange->worker->scratch;
    exchange_move(exchange, EXCHANGE_TUNNEL);
    exchange->status = 101;
    exchange->first_byte_ns = exchange->worker->now_ns;
    exchange->asked_to_close = true;
    record_switch(exchange);
    strbuf_clear(out);
    write_switch(exchange, head, out);
    if (connection->in && buffer_len(connection->in) == 0) {
        buffer_give(connection->in);
        connection->in = NULL;
    }
    note_life(exchange);
    struct segment segment = segment_copied(strbuf_as_slice(out));
    if (outbox_send(&session->outbox, &session->stream, &segment, 1) == STREAM_FAILED) {
        exchange_client_gone(exchange);
        return;
    }
    // Bytes may have come early on both sides; whichever direction ends the exchange first, the other is not
    // looked at any more.
    connection->stream.readable = true;
    session->stream.readable = true;
    tunnel_upstream(exchange);
    if (session->exchange == exchange && exchange->state == EXCHANGE_TUNNEL)
        tunnel_client(exchange);
}

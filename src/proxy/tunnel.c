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

// Nothing more is passed on from that side. True: nor from the other, and the exchange is over.
static bool side_over(struct exchange *exchange, unsigned side) {
    exchange->ended |= side;
    if (exchange->ended != (ENDED_CLIENT | ENDED_UPSTREAM))
        return false;
    attempt_count_failure(exchange, ERROR_REASON_NONE);
    exchange_finish(exchange, FINISH_COMPLETE);
    return true;
}

// One side has sent its last byte.
static void side_ended(struct exchange *exchange, unsigned side, struct stream *other) {
    if (!side_over(exchange, side))
        stream_finish(other);
}

// The upstream takes nothing more. When it had ended its side in order, that is the end. Else it may have
// said why before it closed (a Close frame): what it said is read and passed on, and how that ends decides.
static void upstream_deaf(struct exchange *exchange) {
    if (side_over(exchange, ENDED_CLIENT))
        return;
    stream_look_again(&exchange->connection->stream);
    tunnel_upstream(exchange);
}

void tunnel_client(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct connection *connection = exchange->connection;
    while (outbox_empty(&connection->outbox) && !(exchange->ended & ENDED_CLIENT)) {
        enum stream_result result = STREAM_DONE;
        if (!session->in) // without an edge too: stream_look_again says why
            result = session_read(session);
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
        stream_look_again(&session->stream);
        if (outbox_send(&connection->outbox, &connection->stream, &segment, 1) == STREAM_FAILED) {
            upstream_deaf(exchange);
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
            result = transfer_read(connection, &exchange->worker->buffers);
        if (result == STREAM_BLOCKED)
            return;
        // The failed write may have used up the error that the reset left: then reading tells of a mere end.
        if (result == STREAM_FAILED || (result == STREAM_ENDED && connection->stream.deaf)) {
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
        stream_look_again(&connection->stream);
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

// The body is read before the request goes on: a JSON condition or a unit in the body, or an edit of it.
#include "surplus.h"

static void body_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    exchange_body_late(exchange);
    worker_leave(worker);
}

static void refuse(struct exchange *exchange, enum reject reject) {
    exchange->asked_to_close = true;
    if (reject != REJECT_NONE) {
        reply_reject(exchange, reject);
        return;
    }
    counter_add(&exchange->worker->refused[REFUSED_BODY_TOO_LARGE], 1);
    reply_error(exchange, OWN_ERROR_BODY_TOO_LARGE);
}

// The body is here, or larger than what is held in memory (then the decision is made without it).
static void collected(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    deadline_clear(&exchange->deadline);
    struct head_limits unlimited = {SIZE_MAX, SIZE_MAX};
    enum reject reject;
    must(head_read_request(exchange->head_bytes, &unlimited, &worker->request_head, &reject) ==
         HEAD_COMPLETE);
    exchange_move(exchange, EXCHANGE_START);
    if (exchange->route) { // decided: the body is to be edited
        exchange_dispatch(exchange, exchange->head_bytes.at);
        return;
    }
    struct slice body = exchange_has_body(exchange) ? strbuf_as_slice(&exchange->kept) : SLICE("");
    if (!body.at)
        body = SLICE("");
    exchange_route(exchange, exchange->head_bytes.at, &body);
}

void collect_body(struct exchange *exchange) {
    struct session *session = exchange->session;
    size_t most = (size_t)exchange_config(exchange)->limits.buffered_body_bytes;
    if (exchange->framing.expect_continue && !exchange->continue_sent && !session->in) {
        if (!exchange_let_body_through(exchange))
            return;
    }
    while (!exchange->request.complete && exchange->kept.len <= most) {
        enum stream_result result = session->in ? STREAM_DONE : session_read(session);
        if (result == STREAM_BLOCKED) {
            deadline_set(&exchange->worker->deadlines, &exchange->deadline, exchange->times->client_idle,
                         exchange->worker->now_ns, body_expired);
            return;
        }
        if (result != STREAM_DONE) {
            exchange_client_gone(exchange);
            return;
        }
        if (worker_starved(exchange->worker)) { // nothing of it was sent on yet: another try does no harm
            exchange->asked_to_close = true;
            surplus_refuse_memory(exchange);
            return;
        }
        size_t data, used;
        enum reject reject = REJECT_NONE;
        char *at = buffer_at(session->in);
        if (body_feed(&exchange->request, at, buffer_len(session->in), &data, &used, &reject) ==
                BODY_REJECTED ||
            exchange->request.bytes > (uint64_t)exchange_config(exchange)->limits.body_bytes) {
            refuse(exchange, reject);
            return;
        }
        strbuf_append(&exchange->kept, at, data);
        exchange_weigh(exchange);
        session->in->start += (uint32_t)used;
        if (buffer_len(session->in) == 0) {
            buffer_give(session->in);
            session->in = NULL;
        }
    }
    collected(exchange);
}

// Of a body that is larger than what is held in memory only the front was collected.
bool collect_was_in_vain(const struct exchange *exchange) {
    return exchange->kept.len > (size_t)exchange_config(exchange)->limits.buffered_body_bytes;
}

void collect_begin(struct exchange *exchange, const char *head_at) {
    if (!exchange->head_bytes.at)
        exchange->head_bytes =
            arena_copy(&exchange->arena, slice_make(head_at, exchange->worker->request_head.bytes));
    exchange->keeping = KEEP_ALL;
    total_bound(exchange);
    exchange_move(exchange, EXCHANGE_COLLECT);
    collect_body(exchange);
}

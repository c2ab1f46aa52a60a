// One attempt after another: choosing an endpoint, connecting, and what a failure leads to.
#include "access_log.h"
#include "affinity.h"
#include "base/log.h"
#include "edited.h"
#include "exchange.h"
#include "io/descriptors.h"
#include "record.h"
#include "trace.h"
#include "tunnel.h"
#include <errno.h>
#include <string.h>

static void attempt_connect(struct exchange *exchange);
static void wait_for_connection(struct exchange *exchange);
static void attempt_overloaded(struct exchange *exchange, enum own_error error);

static void expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    switch (exchange->state) {
    case EXCHANGE_QUEUED:
        attempt_overloaded(exchange, OWN_ERROR_QUEUE_TIMEOUT);
        break;
    case EXCHANGE_CONNECT:
        if (connection_hangs(exchange->connection))
            wait_for_connection(exchange);
        else
            attempt_failed(exchange,
                           &(struct failure){RETRY_CONNECT, 504, ERROR_REASON_CONNECT_TIMEOUT, false});
        break;
    default:
        attempt_failed(exchange, &(struct failure){0, 504, ERROR_REASON_TIMEOUT, false});
        break;
    }
    worker_leave(worker);
}

static void wait_at_most(struct exchange *exchange, int64_t duration_ms) {
    deadline_set(&exchange->worker->deadlines, &exchange->deadline, duration_ms, exchange->worker->now_ns,
                 expired);
}

// An address that keeps silent gets its part of the time-out, so that the next one still has its own.
static void wait_for_connection(struct exchange *exchange) {
    int64_t most = exchange->times->connect;
    unsigned parts = connection_patience(exchange->connection);
    wait_at_most(exchange, most < parts ? most : most / parts);
}

static struct pool_view *view_of_pool(const struct exchange *exchange) {
    return exchange->hold->plan->pools[exchange_variant(exchange)->pool];
}

static enum choice choose(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    if (exchange->task_endpoint.at && affinity_choose(exchange, view_of_pool(exchange)))
        return CHOICE_MADE;
    return pool_choose(view_of_pool(exchange), worker->index, &worker->random, exchange->unit_hash,
                       exchange->avoid, &exchange->endpoint);
}

static void queue(struct exchange *exchange) {
    struct pool_view *view = view_of_pool(exchange);
    unsigned lane = exchange->worker->index;
    if (!pool_wait(view, lane, &exchange->waiter)) {
        attempt_overloaded(exchange, OWN_ERROR_QUEUE_FULL);
        return;
    }
    exchange_move(exchange, EXCHANGE_QUEUED);
    if (choose(exchange) == CHOICE_MADE) { // room came free while we queued up
        pool_unwait(&exchange->waiter, lane);
        attempt_connect(exchange);
        return;
    }
    wait_at_most(exchange, view->config->queue.timeout);
}

void attempt_start(struct exchange *exchange) {
    exchange->head_sent = exchange->touched = false;
    switch (choose(exchange)) {
    case CHOICE_MADE:
        attempt_connect(exchange);
        break;
    case CHOICE_FULL:
        queue(exchange);
        break;
    case CHOICE_NONE:
        attempt_failed(exchange, &(struct failure){RETRY_CONNECT, 503, ERROR_REASON_CONNECT, false});
        break;
    }
}

void exchange_room(struct exchange *exchange) {
    enum choice choice = choose(exchange);
    if (choice == CHOICE_FULL)
        return;
    pool_unwait(&exchange->waiter, exchange->worker->index);
    if (choice == CHOICE_MADE)
        attempt_connect(exchange);
    else
        attempt_failed(exchange, &(struct failure){RETRY_CONNECT, 503, ERROR_REASON_CONNECT, false});
}

void attempt_await(struct exchange *exchange) {
    wait_at_most(exchange, exchange->times->first_byte);
}

static void send_request(struct exchange *exchange) {
    exchange_move(exchange, EXCHANGE_AWAIT);
    transfer_request(exchange);
}

// No connection, and errno says why. Our own want of descriptors is not the endpoint's failure.
static void not_connected(struct exchange *exchange) {
    if (descriptors_short(errno))
        attempt_overloaded(exchange, OWN_ERROR_DESCRIPTORS);
    else
        attempt_failed(exchange, &(struct failure){RETRY_CONNECT, 502, ERROR_REASON_CONNECT, false});
}

static void attempt_connect(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    if (log_lane_on(worker->log))
        exchange->log_endpoint = arena_copy(&exchange->arena, slice_of(exchange->endpoint->url));
    trace_attempt(exchange);
    if (!exchange->stale_retried) // who closed one idle connection may have closed them all
        exchange->connection = connection_lease(&worker->connector, exchange->endpoint, exchange);
    if (exchange->connection) {
        send_request(exchange);
        return;
    }
    exchange_move(exchange, EXCHANGE_CONNECT);
    exchange->connection = connection_dial(&worker->connector, exchange->endpoint, exchange);
    if (exchange->connection)
        wait_for_connection(exchange);
    else
        not_connected(exchange);
}

static void go_on_connecting(struct exchange *exchange) {
    switch (connection_established(exchange->connection)) {
    case CONNECT_DONE:
        send_request(exchange);
        break;
    case CONNECT_GOES_ON:
        break;
    case CONNECT_FAILED:
        not_connected(exchange);
        break;
    case CONNECT_TLS_FAILED:
        log_rationed(&exchange->worker->tls_log, exchange->worker->now_ns,
                     "TLS handshake with an endpoint failed", "pool=%s endpoint=%s reason=%s",
                     exchange->endpoint->pool, exchange->endpoint->url,
                     stream_tls_failure(&exchange->connection->stream));
        attempt_failed(exchange, &(struct failure){RETRY_CONNECT, 502, ERROR_REASON_TLS, false});
        break;
    }
}

void exchange_connection_event(struct connection *connection, short what) {
    struct exchange *exchange = connection->user;
    if (connection->state == CONNECTION_CONNECTING || connection->state == CONNECTION_HANDSHAKE) {
        go_on_connecting(exchange);
        return;
    }
    bool tunnel = exchange->state == EXCHANGE_TUNNEL;
    if ((what & EV_WRITE) && !outbox_empty(&connection->outbox)) {
        enum stream_result result = outbox_flush(&connection->outbox, &connection->stream);
        if (result == STREAM_DONE)
            tunnel ? tunnel_client(exchange) : transfer_request(exchange);
        // A failed write is left to the reading side: the upstream may have answered before it closed.
        else if (result == STREAM_FAILED)
            stream_look_again(&connection->stream);
    }
    // The exchange may have ended, or gone on to another connection.
    if (connection->user == exchange && connection->state == CONNECTION_BUSY && connection->stream.readable)
        tunnel ? tunnel_upstream(exchange) : transfer_response(exchange);
}

// ---- after a failure

void attempt_count_failure(struct exchange *exchange, enum error_reason reason) {
    struct endpoint *endpoint = exchange->endpoint;
    if (!endpoint)
        return;
    if (reason == ERROR_REASON_NONE) {
        // Only written when there is something to clear: the line is shared by all workers.
        if (atomic_load_explicit(&endpoint->failures, memory_order_relaxed))
            atomic_store_explicit(&endpoint->failures, 0, memory_order_relaxed);
        return;
    }
    unsigned in_a_row = atomic_fetch_add_explicit(&endpoint->failures, 1, memory_order_relaxed) + 1;
    int64_t most = view_of_pool(exchange)->config->ejection.consecutive_failures;
    if (most > 0 && in_a_row >= (unsigned)most) {
        atomic_store_explicit(&endpoint->failures, 0, memory_order_relaxed);
        worker_report_failing(exchange->worker, endpoint);
    }
}

void attempt_release(struct exchange *exchange, bool reusable) {
    struct worker *worker = exchange->worker;
    trace_released(exchange);
    pool_unwait(&exchange->waiter, worker->index);
    deadline_clear(&exchange->body_deadline); // nobody reads the client until there is another attempt
    if (exchange->connection) {
        struct connection *connection = exchange->connection;
        exchange->connection = NULL;
        if (reusable && outbox_empty(&connection->outbox) && !connection->in)
            connection_return(connection, (unsigned)view_of_pool(exchange)->config->keepalive);
        else
            connection_close(connection);
    }
    if (exchange->endpoint) {
        struct pool_view *view = view_of_pool(exchange);
        endpoint_leave(exchange->endpoint);
        exchange->endpoint = NULL;
        // Who waits may do so under another plan than this exchange's: one whose pool has a limit.
        if (view->config->max_inflight || atomic_load(&view->pool->waiting))
            worker_room(worker, view->pool);
    }
}

// Whether everything of the request can be sent once more.
static bool replayable(const struct exchange *exchange) {
    return exchange->keeping == KEEP_ALL || exchange->request.bytes == 0;
}

// An idle connection that the upstream had closed, or closed when the request crossed it on the way. Nothing
// came back. Sent again once, when it is idempotent or nothing of it was written (RFC 9110 9.2.2, RFC
// 9112 9.3.1).
static bool stale(const struct exchange *exchange, const struct failure *failure) {
    return failure->condition == RETRY_RESET_BEFORE_RESPONSE && exchange->connection &&
           exchange->connection->reused && !exchange->connection->in && !exchange->interim &&
           !exchange->stale_retried && replayable(exchange) && (exchange->idempotent || !exchange->touched);
}

// What an endpoint may have acted on is not sent a second time, unless that does no harm (RFC 9110 9.2.2),
// the operator says that it does none, or the endpoint itself answered that it failed.
static bool safe_again(const struct exchange *exchange, const struct retry_config *retry,
                       const struct failure *failure) {
    return failure->answered || exchange->idempotent || !exchange->touched ||
           (retry && retry->non_idempotent);
}

static struct variant_lane *lane_of(const struct exchange *exchange) {
    return exchange->route->variants[exchange->decision.variant].series->lanes[exchange->worker->index];
}

static void restart(struct exchange *exchange) {
    exchange->head_out.len = exchange->head_out_len;
    attempt_start(exchange);
}

static bool try_again(struct exchange *exchange, const struct failure *failure) {
    const struct retry_config *retry = exchange->route->live.config->retry;
    if (!retry || exchange->retries >= (unsigned)retry->attempts || !retry_covers(retry, failure) ||
        !safe_again(exchange, retry, failure) || !replayable(exchange) || exchange->begun)
        return false;
    if (!budget_spend(exchange->route->retry_budget, exchange->worker->index))
        return false;
    exchange->retries++;
    if (failure->reason != ERROR_REASON_NONE)
        record_retry(exchange);
    counter_add(&lane_of(exchange)->retries[retry_reason_of(failure)], 1);
    return true;
}

static bool try_fallback(struct exchange *exchange, const struct failure *failure) {
    const struct route_config *config = exchange->route->live.config;
    if (!config->fallback || exchange->serving == config->fallback_index || exchange->charged_ns ||
        !retry_covers(config->retry, failure) || !safe_again(exchange, config->retry, failure) ||
        !replayable(exchange) || exchange->begun)
        return false;
    record_fallback(exchange, failure->status, failure->reason);
    return true;
}

static void start_fallback(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    struct head_limits unlimited = {SIZE_MAX, SIZE_MAX};
    enum reject reject;
    must(head_read_request(exchange->head_bytes, &unlimited, &worker->request_head, &reject) ==
         HEAD_COMPLETE);
    exchange_set_variant(exchange, exchange->route->live.config->fallback_index);
    exchange->avoid = NULL;
    exchange->stale_retried = false;
    if (!edited_make(exchange, &worker->request_head))
        return;
    forward_request_head(exchange, &worker->request_head);
    attempt_start(exchange);
}

// The pool has no room, and nothing was sent. Another attempt would wait in the same queue: only the fallback
// can help.
static void attempt_overloaded(struct exchange *exchange, enum own_error error) {
    struct failure failure = {0, 503, ERROR_REASON_OVERLOADED, false};
    attempt_release(exchange, false);
    if (try_fallback(exchange, &failure)) {
        start_fallback(exchange);
        return;
    }
    if (!exchange->charged_ns)
        exchange->blame = failure.reason;
    reply_error(exchange, error);
}

static void give_up(struct exchange *exchange, const struct failure *failure) {
    if (!exchange->charged_ns)
        exchange->blame = failure->reason;
    switch (failure->reason) {
    case ERROR_REASON_CONNECT:
        if (failure->status == 503)
            reply_error(exchange, OWN_ERROR_NO_ENDPOINT);
        else
            reply_error(exchange, OWN_ERROR_CONNECT_FAILED);
        break;
    case ERROR_REASON_CONNECT_TIMEOUT:
        reply_error(exchange, OWN_ERROR_CONNECT_TIMEOUT);
        break;
    case ERROR_REASON_TLS:
        reply_error(exchange, OWN_ERROR_TLS_FAILED);
        break;
    case ERROR_REASON_TIMEOUT:
        reply_error(exchange, OWN_ERROR_FIRST_BYTE_TIMEOUT);
        break;
    case ERROR_REASON_BAD_RESPONSE:
        reply_error(exchange, OWN_ERROR_BAD_RESPONSE);
        break;
    default:
        reply_error(exchange, OWN_ERROR_UPSTREAM_RESET);
        break;
    }
}

void attempt_failed(struct exchange *exchange, const struct failure *failure) {
    bool was_stale = stale(exchange, failure);
    trace_answered(exchange, failure->answered ? failure->status : 0, failure->reason);
    if (!was_stale)
        attempt_count_failure(exchange, failure->reason);
    exchange->avoid = was_stale ? NULL : exchange->endpoint;
    attempt_release(exchange, false);
    if (was_stale) {
        exchange->stale_retried = true;
        counter_add(&lane_of(exchange)->retries[RETRY_REASON_STALE], 1);
        restart(exchange);
    } else if (try_again(exchange, failure)) {
        restart(exchange);
    } else if (try_fallback(exchange, failure)) {
        start_fallback(exchange);
    } else {
        give_up(exchange, failure);
    }
}

bool attempt_again_on_status(struct exchange *exchange, unsigned status) {
    struct failure failure = {
        .status = status, .reason = status >= 500 ? ERROR_REASON_5XX : ERROR_REASON_NONE, .answered = true};
    bool again = try_again(exchange, &failure);
    if (!again && !try_fallback(exchange, &failure))
        return false;
    attempt_count_failure(exchange, failure.reason);
    trace_answered(exchange, status, failure.reason);
    exchange->avoid = exchange->endpoint;
    attempt_release(exchange, false);
    if (again)
        restart(exchange);
    else
        start_fallback(exchange);
    return true;
}

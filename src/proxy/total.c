// timeouts.total: how long a request may take, and who is late when it has.
#include "exchange.h"

// A variant that waits for the client's body, or for the client to take its answer, is not the one that is
// late.
static bool clients_turn(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_COLLECT || list_linked(&exchange->body_deadline.link) ||
           (exchange_responding(exchange) && !outbox_empty(&exchange->session->outbox));
}

static void total_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, total);
    struct worker *worker = exchange->worker;
    bool responding = exchange_responding(exchange);
    worker_enter(worker);
    if (clients_turn(exchange)) {
        responding ? exchange_client_gone(exchange) : exchange_body_late(exchange);
    } else {
        if (!exchange->charged_ns)
            exchange->blame = ERROR_REASON_TIMEOUT;
        if (responding) {
            exchange_finish(exchange, FINISH_CUT_SHORT);
        } else {
            attempt_count_failure(exchange, ERROR_REASON_TIMEOUT);
            reply_error(exchange, OWN_ERROR_TOTAL_TIMEOUT);
        }
    }
    worker_leave(worker);
}

// Counts from the request's head, also when its body was collected first and it is known only then how long
// that may take. There is a list for each duration in use: what is left is rounded up, so that they stay few.
void total_bound(struct exchange *exchange) {
    int64_t most = exchange->times->total;
    if (most == exchange->total_ms)
        return;
    uint64_t now = exchange->worker->now_ns;
    int64_t passed = (int64_t)((now - exchange->start_ns) / NS_PER_MS), left = most;
    if (most >= 0 && passed > 0) {
        int64_t step = most / 64 + 1;
        left = most > passed ? (most - passed + step - 1) / step * step : 0;
    }
    exchange->total_ms = most;
    deadline_set(&exchange->worker->deadlines, &exchange->total, left, now, total_expired);
}

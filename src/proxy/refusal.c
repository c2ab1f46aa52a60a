#include "refusal.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/retry_after.h"

static void spare(struct exchange *exchange, const struct head *head, int64_t asked_ms) {
    const struct plan_variant *variant = exchange_variant(exchange);
    int64_t most_ms = exchange->hold->plan->pools[variant->pool]->config->back_off;
    struct worker *worker = exchange->worker;
    int64_t ms = most_ms > 0 ? back_off_begin(exchange->endpoint, asked_ms, most_ms, worker->now_ns) : 0;
    if (ms)
        log_rationed(&worker->refusal_log, worker->now_ns, "endpoint backs off",
                     "pool=%s endpoint=%s status=%u for_ms=%lld", exchange->endpoint->pool,
                     exchange->endpoint->url, head->status, (long long)ms);
}

void refusal_take(struct exchange *exchange, const struct head *head) {
    int64_t asked_ms = retry_after_ms(head, clock_wall_ms());
    if (head->status == 429) {
        const struct variant_series *series = exchange_variant(exchange)->series;
        counter_add(&series->lanes[exchange->worker->index]->rate_limited, 1);
    }
    if (head->status == 429 || asked_ms >= 0) // a 503 that names no time is a failure like others
        spare(exchange, head, asked_ms);
}

#include "ejection.h"

#include "base/clock.h"
#include "base/log.h"

#define MOST_TIMES 10

struct ejector {
    struct publisher *publisher;
    const struct directory *directory;
    struct event *timer; // for the first that is due
};

int64_t ejection_time(int64_t base_time, unsigned in_a_row) {
    return base_time * (in_a_row < MOST_TIMES ? in_a_row : MOST_TIMES);
}

bool ejection_allowed(size_t ejected, size_t endpoints, int64_t max_share) {
    return (ejected + 1) * 100 <= endpoints * (size_t)max_share;
}

static bool is_ejected(const struct endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->states, memory_order_relaxed) & ENDPOINT_EJECTED;
}

static void take_back(struct ejector *ejector, struct endpoint *endpoint, size_t pool) {
    atomic_fetch_and(&endpoint->states, ~(unsigned)ENDPOINT_EJECTED);
    atomic_store(&endpoint->failures, 0);
    log_info("endpoint back from ejection", "pool=%s endpoint=%s", endpoint->pool, endpoint->url);
    publisher_touch(ejector->publisher, pool);
}

// Takes back what is due and sets the timer for the next. Ejections are rare, so all endpoints are looked at
// and nothing has to be kept beside them.
static void look(struct ejector *ejector) {
    const struct config *config = publisher_plan(ejector->publisher)->config;
    uint64_t now = clock_monotonic_ns(), next = UINT64_MAX;
    for (size_t i = 0; i < directory_count(ejector->directory); i++) {
        const struct pool *pool = directory_pool(ejector->directory, i);
        bool off = config->pools[i].ejection.consecutive_failures == 0;
        for (size_t k = 0; k < pool->endpoint_count; k++) {
            struct endpoint *endpoint = pool->endpoints[k];
            if (!is_ejected(endpoint))
                continue;
            if (off || endpoint->ejected_until_ns <= now)
                take_back(ejector, endpoint, i);
            else if (endpoint->ejected_until_ns < next)
                next = endpoint->ejected_until_ns;
        }
    }
    event_del(ejector->timer);
    if (next == UINT64_MAX)
        return;
    uint64_t us = (next - now) / 1000 + 1;
    struct timeval after = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    event_add(ejector->timer, &after);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    look(context);
}

struct ejector *ejector_new(struct event_base *base, struct publisher *publisher,
                            const struct directory *directory) {
    struct ejector *ejector = mem_zero(1, sizeof *ejector);
    ejector->publisher = publisher;
    ejector->directory = directory;
    ejector->timer = event_new(base, -1, 0, on_timer, ejector);
    must(ejector->timer != NULL);
    return ejector;
}

void ejector_free(struct ejector *ejector) {
    if (!ejector)
        return;
    event_free(ejector->timer);
    mem_free(ejector);
}

static size_t count_ejected(const struct pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->endpoint_count; i++)
        count += is_ejected(pool->endpoints[i]);
    return count;
}

// "In a row": it fails again before it has been back for as long as it was away.
static void count_ejection(struct endpoint *endpoint, const struct ejection_config *config, uint64_t now) {
    uint64_t away = (uint64_t)ejection_time(config->base_time, endpoint->ejections) * NS_PER_MS;
    bool again = endpoint->ejections && now < endpoint->ejected_until_ns + away;
    endpoint->ejections = again ? endpoint->ejections + 1 : 1;
    endpoint->ejected_until_ns =
        now + (uint64_t)ejection_time(config->base_time, endpoint->ejections) * NS_PER_MS;
}

void ejector_failing(struct ejector *ejector, struct endpoint *endpoint) {
    size_t index;
    const struct plan *plan = publisher_plan(ejector->publisher);
    const struct pool_config *config = config_pool(plan->config, endpoint->pool, &index);
    // The report may have crossed a reload: the pool or the endpoint may be gone.
    if (!config || config->ejection.consecutive_failures == 0 || atomic_load(&endpoint->retired))
        return;
    const struct pool *pool = directory_pool(ejector->directory, index);
    if (is_ejected(endpoint))
        return;
    if (!ejection_allowed(count_ejected(pool), pool->endpoint_count, config->ejection.max_share)) {
        log_debug("endpoint fails but its pool has no more to spare", "pool=%s endpoint=%s", endpoint->pool,
                  endpoint->url);
        return;
    }
    count_ejection(endpoint, &config->ejection, clock_monotonic_ns());
    atomic_fetch_or(&endpoint->states, (unsigned)ENDPOINT_EJECTED);
    log_warn("endpoint ejected", "pool=%s endpoint=%s failures=%lld seconds=%lld in_a_row=%u", endpoint->pool,
             endpoint->url, (long long)config->ejection.consecutive_failures,
             (long long)(ejection_time(config->ejection.base_time, endpoint->ejections) / 1000),
             endpoint->ejections);
    publisher_touch(ejector->publisher, index);
    look(ejector);
}

void ejector_adopt(struct ejector *ejector) {
    look(ejector);
}

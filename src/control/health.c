#include "health.h"

#include "base/clock.h"
#include "base/log.h"
#include "endpoint_fetch.h"
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_AT_ONCE 256

struct probe { // of one endpoint
    struct health *health;
    struct endpoint *endpoint; // with a reference
    size_t pool;               // in the running configuration
    const struct health_config *config;
    struct event *timer;
    struct fetch *fetch;               // under way, or NULL
    struct config *asked_of;           // with a reference while under way: a reload may come in between
    const struct health_config *asked; // what was asked, part of asked_of
};
struct health {
    struct event_base *base;
    struct publisher *publisher;
    struct fetcher *fetcher;
    struct random_state random;
    char user_agent[64];
    struct config *config; // with a reference
    struct probe **probes; // sorted by endpoint
    size_t probe_count;
};

static int by_endpoint(const void *left, const void *right) {
    uintptr_t a = (uintptr_t)(*(struct probe *const *)left)->endpoint;
    uintptr_t b = (uintptr_t)(*(struct probe *const *)right)->endpoint;
    return (a > b) - (a < b);
}

// Spread, so that checks begun together do not stay together.
static void sleep_probe(struct probe *probe, uint64_t least_percent, uint64_t most_percent) {
    uint64_t percent = least_percent + random_below(&probe->health->random, most_percent - least_percent + 1);
    uint64_t ms = (uint64_t)probe->config->interval * percent / 100;
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(probe->timer, &after);
}

static void turn(struct probe *probe, bool healthy) {
    struct endpoint *endpoint = probe->endpoint;
    if (healthy) {
        atomic_fetch_and(&endpoint->states, ~(unsigned)ENDPOINT_UNHEALTHY);
        log_info("endpoint healthy", "pool=%s endpoint=%s checks=%u", endpoint->pool, endpoint->url,
                 endpoint->checks_passed);
    } else {
        atomic_fetch_or(&endpoint->states, (unsigned)ENDPOINT_UNHEALTHY);
        log_warn("endpoint unhealthy", "pool=%s endpoint=%s checks=%u reason=%s", endpoint->pool,
                 endpoint->url, endpoint->checks_failed, endpoint->last_check);
    }
    publisher_touch(probe->health->publisher, probe->pool);
}

static void note(struct probe *probe, bool passed) {
    struct endpoint *endpoint = probe->endpoint;
    bool unhealthy = atomic_load(&endpoint->states) & ENDPOINT_UNHEALTHY;
    endpoint->last_check_ms = clock_wall_ms();
    endpoint->checks_passed = passed ? endpoint->checks_passed + 1 : 0;
    endpoint->checks_failed = passed ? 0 : endpoint->checks_failed + 1;
    if (unhealthy && endpoint->checks_passed >= (unsigned)probe->config->healthy_after)
        turn(probe, true);
    else if (!unhealthy && endpoint->checks_failed >= (unsigned)probe->config->unhealthy_after)
        turn(probe, false);
}

static void on_answer(const struct fetch_answer *answer, void *context) {
    struct probe *probe = context;
    struct expect_answer seen = {.status = answer->status,
                                 .body = strbuf_as_slice(&answer->body),
                                 .truncated = answer->truncated,
                                 .error = answer->error,
                                 .took_ms = answer->took_ms};
    struct endpoint *endpoint = probe->endpoint;
    bool passed = expect_met(&probe->asked->expect, &seen, endpoint->last_check, sizeof endpoint->last_check);
    bool first = endpoint->last_check_ms == 0;
    probe->fetch = NULL;
    config_unref(probe->asked_of);
    note(probe, passed);
    sleep_probe(probe, first ? 50 : 90, 110); // the first ones all began together
}

static void ask(struct probe *probe) {
    struct health *health = probe->health;
    struct endpoint_request wanted = {
        .endpoint = probe->endpoint,
        .request = &probe->config->request,
        .tls = health->config->pools[probe->pool].tls,
        .user_agent = health->user_agent,
        .timeout_ms = probe->config->timeout,
    };
    probe->asked_of = config_ref(health->config);
    probe->asked = probe->config;
    probe->fetch = endpoint_fetch(health->fetcher, &wanted, on_answer, probe);
}

static void on_timer(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    struct probe *probe = context;
    if (!probe->fetch)
        ask(probe);
}

static struct probe *probe_new(struct health *health, struct endpoint *endpoint) {
    struct probe *probe = mem_zero(1, sizeof *probe);
    probe->health = health;
    probe->endpoint = endpoint_ref(endpoint);
    probe->timer = event_new(health->base, -1, 0, on_timer, probe);
    must(probe->timer != NULL);
    return probe;
}

static void probe_free(struct probe *probe) {
    if (probe->fetch) {
        fetch_cancel(probe->fetch);
        config_unref(probe->asked_of);
    }
    event_free(probe->timer);
    endpoint_unref(probe->endpoint);
    mem_free(probe);
}

struct health *health_new(struct event_base *base, struct publisher *publisher, const char *version) {
    struct health *health = mem_zero(1, sizeof *health);
    health->base = base;
    health->publisher = publisher;
    health->fetcher = fetcher_new(base, MOST_AT_ONCE);
    random_seed(&health->random);
    snprintf(health->user_agent, sizeof health->user_agent, "sluice-health/%s", version);
    return health;
}

void health_free(struct health *health) {
    if (!health)
        return;
    for (size_t i = 0; i < health->probe_count; i++)
        probe_free(health->probes[i]);
    mem_free(health->probes);
    fetcher_free(health->fetcher);
    if (health->config)
        config_unref(health->config);
    mem_free(health);
}

// What checks had found is void where nobody checks any more.
static void forget(struct health *health, const struct pool *pool, size_t index) {
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        struct endpoint *endpoint = pool->endpoints[i];
        if (!(atomic_load(&endpoint->states) & ENDPOINT_UNHEALTHY))
            continue;
        atomic_fetch_and(&endpoint->states, ~(unsigned)ENDPOINT_UNHEALTHY);
        publisher_touch(health->publisher, index);
    }
}

// The probe of that endpoint moves out of `old`, or is made.
static struct probe *keep_probe(struct health *health, struct probe **old, size_t old_count,
                                struct endpoint *endpoint, bool *fresh) {
    struct probe key = {.endpoint = endpoint}, *wanted = &key;
    struct probe **found = old_count ? bsearch(&wanted, old, old_count, sizeof *old, by_endpoint) : NULL;
    *fresh = !found;
    return found ? *found : probe_new(health, endpoint);
}

static void adopt_pool(struct health *health, struct probe **old, size_t old_count, const struct pool *pool,
                       size_t index) {
    static const struct timeval now = {0, 0};
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        bool fresh;
        struct probe *probe = keep_probe(health, old, old_count, pool->endpoints[i], &fresh);
        bool changed = !fresh && probe->config->interval != health->config->pools[index].health->interval;
        probe->pool = index;
        probe->config = health->config->pools[index].health;
        health->probes[health->probe_count++] = probe;
        if (fresh)
            event_add(probe->timer, &now);
        else if (changed && !probe->fetch)
            sleep_probe(probe, 50, 100);
    }
}

static size_t count_probes(const struct config *config) {
    size_t count = 0;
    for (size_t i = 0; i < config->pool_count; i++)
        count += config->pools[i].health ? config->pools[i].endpoint_count : 0;
    return count;
}

void health_adopt(struct health *health, struct config *config, const struct directory *directory) {
    struct probe **old = health->probes;
    size_t old_count = health->probe_count;
    struct config *old_config = health->config; // the old probes' settings are read below
    health->config = config_ref(config);
    health->probes = mem_zero(count_probes(config) + 1, sizeof *health->probes);
    health->probe_count = 0;
    for (size_t i = 0; i < config->pool_count; i++) {
        const struct pool *pool = directory_pool(directory, i);
        if (config->pools[i].health)
            adopt_pool(health, old, old_count, pool, i);
        else
            forget(health, pool, i);
    }
    if (health->probe_count)
        qsort(health->probes, health->probe_count, sizeof *health->probes, by_endpoint);
    for (size_t i = 0; i < old_count; i++) {
        struct probe **kept = health->probe_count ? bsearch(&old[i], health->probes, health->probe_count,
                                                            sizeof *old, by_endpoint)
                                                  : NULL;
        if (!kept || *kept != old[i])
            probe_free(old[i]);
    }
    mem_free(old);
    if (old_config)
        config_unref(old_config);
}

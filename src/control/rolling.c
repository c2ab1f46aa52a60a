#include "rolling.h"

#include "base/clock.h"
#include "base/log.h"
#include "controller.h"
#include "update.h"

#include <stdio.h>
#include <string.h>

#define DRAIN_NS  (UINT64_C(600) * NS_PER_S) // how long its requests may take to finish
#define HEALTH_NS (UINT64_C(600) * NS_PER_S) // … and it to become healthy again

enum phase { PHASE_DRAIN, PHASE_UPDATE, PHASE_HEALTH, PHASE_DONE };

struct item { // one endpoint of the batch
    struct rolling *rolling;
    struct endpoint *endpoint; // with a reference
    struct webhook *update;
    enum phase phase;
    uint64_t since_ns, updated_ms;
    bool was_drained; // by hand, before: it stays so
};
struct rolling {
    struct controller *controller;
    const struct asks_settings *settings;
    struct item *items;
    size_t count;
    bool failed;
    char because[300];
};

static size_t pool_index(const struct rolling *rolling) {
    const struct controller *controller = rolling->controller;
    return controller->config->variants[controller->config->baseline].pool_index;
}

static const struct pool_config *pool_config(const struct rolling *rolling) {
    return &rolling->controller->control->config->pools[pool_index(rolling)];
}

struct rolling *rolling_new(struct controller *controller, const struct asks_settings *settings) {
    struct rolling *rolling = mem_zero(1, sizeof *rolling);
    rolling->controller = controller;
    rolling->settings = settings;
    return rolling;
}

static void set_drained(struct rolling *rolling, struct endpoint *endpoint, bool drained) {
    if (drained)
        atomic_fetch_or(&endpoint->states, (unsigned)ENDPOINT_DRAINED);
    else
        atomic_fetch_and(&endpoint->states, ~(unsigned)ENDPOINT_DRAINED);
    publisher_touch(rolling->controller->control->publisher, pool_index(rolling));
}

static void to(struct item *item, enum phase phase, uint64_t now_ns) {
    item->phase = phase;
    item->since_ns = now_ns;
}

static void let_go(struct rolling *rolling) {
    for (size_t i = 0; i < rolling->count; i++)
        endpoint_unref(rolling->items[i].endpoint);
    mem_free(rolling->items);
    rolling->items = NULL;
    rolling->count = 0;
}

void rolling_stop(struct rolling *rolling) {
    for (size_t i = 0; i < rolling->count; i++) {
        struct item *item = &rolling->items[i];
        webhook_cancel(item->update);
        item->update = NULL;
        if (item->phase == PHASE_DRAIN && !item->was_drained)
            set_drained(rolling, item->endpoint, false);
        else if (item->phase == PHASE_UPDATE || item->phase == PHASE_HEALTH)
            log_warn("endpoint stays drained: its update did not end", "route=%s endpoint=%s",
                     rolling->controller->name, item->endpoint->url);
    }
    let_go(rolling);
}

void rolling_free(struct rolling *rolling) {
    if (!rolling)
        return;
    rolling_stop(rolling);
    mem_free(rolling);
}

void rolling_start(struct rolling *rolling) {
    const struct controller *controller = rolling->controller;
    const struct pool *pool = directory_pool(controller->control->directory, pool_index(rolling));
    size_t batch = (size_t)controller->config->rollout->batch, first = controller->machine.step * batch;
    uint64_t now = clock_monotonic_ns();
    if (rolling->count)
        return;
    rolling->failed = false;
    rolling->count = first >= pool->endpoint_count ? 0 : pool->endpoint_count - first;
    rolling->count = rolling->count < batch ? rolling->count : batch;
    rolling->items = mem_zero(rolling->count + 1, sizeof *rolling->items);
    for (size_t i = 0; i < rolling->count; i++) {
        struct item *item = &rolling->items[i];
        item->rolling = rolling;
        item->endpoint = endpoint_ref(pool->endpoints[first + i]);
        item->was_drained = atomic_load(&item->endpoint->states) & ENDPOINT_DRAINED;
        set_drained(rolling, item->endpoint, true);
        to(item, PHASE_DRAIN, now);
    }
}

// ---- phases

static void fail(struct item *item, const char *why) {
    struct rolling *rolling = item->rolling;
    if (!rolling->failed)
        snprintf(rolling->because, sizeof rolling->because, "%s: %s", item->endpoint->url, why);
    rolling->failed = true;
}

static void on_updated(const struct webhook_answer *answer, void *context) {
    struct item *item = context;
    item->update = NULL;
    item->updated_ms = clock_wall_ms();
    if (answer->accepted)
        to(item, PHASE_HEALTH, clock_monotonic_ns());
    else
        fail(item, answer->why);
}

static void update(struct item *item, uint64_t now_ns) {
    const struct rolling *rolling = item->rolling;
    const struct controller *controller = rolling->controller;
    struct update_request request = {
        .url = controller->config->rollout->update,
        .route = controller->name,
        .pool = item->endpoint->pool,
        .endpoint = item->endpoint->url,
        .version = controller->machine.version[0] ? controller->machine.version : NULL,
        .user_agent = rolling->settings->user_agent,
    };
    item->update = update_start(rolling->settings->updates, &request, on_updated, item);
    to(item, PHASE_UPDATE, now_ns);
}

// Healthy: its last check is younger than the update and passed; where nobody checks, the webhook's word
// counts.
static bool healthy(const struct item *item) {
    const struct endpoint *endpoint = item->endpoint;
    if (!pool_config(item->rolling)->health)
        return true;
    return endpoint->last_check_ms > item->updated_ms && strcmp(endpoint->last_check, "ok") == 0 &&
           !(atomic_load(&endpoint->states) & ENDPOINT_UNHEALTHY);
}

static void advance(struct item *item, uint64_t now_ns) {
    uint64_t waited = now_ns - item->since_ns;
    if (item->phase == PHASE_DRAIN) {
        if (atomic_load(&item->endpoint->inflight) == 0 &&
            waited >= NS_PER_S / 4) // workers have the plan by now
            update(item, now_ns);
        else if (waited > DRAIN_NS)
            fail(item, "its requests did not finish within ten minutes");
    } else if (item->phase == PHASE_HEALTH) {
        if (healthy(item)) {
            if (!item->was_drained)
                set_drained(item->rolling, item->endpoint, false);
            to(item, PHASE_DONE, now_ns);
        } else if (waited > HEALTH_NS) {
            fail(item, "it did not become healthy within ten minutes");
        }
    }
}

static void end(struct rolling *rolling, bool done) {
    char because[sizeof rolling->because + 100];
    size_t before = rolling->controller->machine.step * (size_t)rolling->controller->config->rollout->batch;
    if (done)
        snprintf(because, sizeof because, "%zu endpoints are updated", before + rolling->count);
    else
        snprintf(because, sizeof because, "%s (%zu endpoints before it are updated)", rolling->because,
                 before);
    if (!done)
        rolling_stop(rolling);
    let_go(rolling);
    struct rollout_event event = {.kind = done ? EVENT_BATCH_DONE : EVENT_BATCH_FAILED, .because = because};
    controller_send(rolling->controller, &event, NULL);
}

void rolling_tick(struct rolling *rolling, uint64_t now_ns) {
    size_t done = 0;
    if (!rolling->count)
        return;
    for (size_t i = 0; i < rolling->count && !rolling->failed; i++) {
        advance(&rolling->items[i], now_ns);
        done += rolling->items[i].phase == PHASE_DONE;
    }
    if (rolling->failed)
        end(rolling, false);
    else if (done == rolling->count)
        end(rolling, true);
}

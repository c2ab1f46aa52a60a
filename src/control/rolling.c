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
};
struct rolling {
    struct controller *controller;
    const struct asks_settings *settings;
    struct item *items;
    size_t count;
    bool failed, ended; // ended: the machine has not taken it yet
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

// A person's drain is another bit and stays. By name: after a reload the endpoint may be another object and
// the controller's own configuration is gone.
static void set_updating(struct rolling *rolling, const struct endpoint *named, bool updating) {
    const struct control *control = rolling->controller->control;
    size_t index;
    if (!config_pool(control->config, named->pool, &index))
        return;
    const struct pool *pool = directory_pool(control->directory, index);
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        struct endpoint *endpoint = pool->endpoints[i];
        if (strcmp(endpoint->url, named->url) != 0)
            continue;
        if (updating)
            atomic_fetch_or(&endpoint->states, (unsigned)ENDPOINT_UPDATING);
        else
            atomic_fetch_and(&endpoint->states, ~(unsigned)ENDPOINT_UPDATING);
    }
    publisher_touch(control->publisher, index);
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
        if (item->phase == PHASE_DRAIN)
            set_updating(rolling, item->endpoint, false);
        else if (item->phase == PHASE_UPDATE || item->phase == PHASE_HEALTH)
            log_warn("endpoint stays out: its update did not end", "route=%s endpoint=%s",
                     rolling->controller->name, item->endpoint->url);
    }
    let_go(rolling);
    rolling->ended = false;
}

void rolling_free(struct rolling *rolling) {
    if (!rolling)
        return;
    rolling_stop(rolling);
    mem_free(rolling);
}

void rolling_take(struct rolling *rolling, struct rolling *from) {
    const struct controller *controller = rolling->controller;
    const struct pool *pool = directory_pool(controller->control->directory, pool_index(rolling));
    size_t first = controller->machine.step * (size_t)controller->config->rollout->batch;
    bool same = controller->machine.state == ROLLOUT_STEP &&
                from->controller->machine.state == ROLLOUT_STEP &&
                controller->machine.step == from->controller->machine.step &&
                controller->machine.members == from->controller->machine.members;
    if (!same || rolling->count) {
        rolling_stop(from);
        return;
    }
    rolling->items = from->items;
    rolling->count = from->count;
    rolling->failed = from->failed;
    rolling->ended = from->ended;
    memcpy(rolling->because, from->because, sizeof rolling->because);
    from->items = NULL;
    from->count = 0;
    from->ended = false;
    for (size_t i = 0; i < rolling->count; i++) { // the configuration may have made them anew
        struct endpoint *endpoint = endpoint_ref(pool->endpoints[first + i]);
        endpoint_unref(rolling->items[i].endpoint);
        rolling->items[i].endpoint = endpoint;
        rolling->items[i].rolling = rolling;
    }
}

void rolling_start(struct rolling *rolling) {
    const struct controller *controller = rolling->controller;
    const struct pool *pool = directory_pool(controller->control->directory, pool_index(rolling));
    size_t batch = (size_t)controller->config->rollout->batch, first = controller->machine.step * batch;
    uint64_t now = clock_monotonic_ns();
    if (rolling->count || rolling->ended)
        return;
    rolling->failed = false;
    rolling->count = first >= pool->endpoint_count ? 0 : pool->endpoint_count - first;
    rolling->count = rolling->count < batch ? rolling->count : batch;
    rolling->items = mem_zero(rolling->count + 1, sizeof *rolling->items);
    for (size_t i = 0; i < rolling->count; i++) {
        struct item *item = &rolling->items[i];
        item->rolling = rolling;
        item->endpoint = endpoint_ref(pool->endpoints[first + i]);
        set_updating(rolling, item->endpoint, true);
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
            set_updating(item->rolling, item->endpoint, false);
            to(item, PHASE_DONE, now_ns);
        } else if (waited > HEALTH_NS) {
            fail(item, "it did not become healthy within ten minutes");
        }
    }
}

static void end(struct rolling *rolling, bool done) {
    size_t before = rolling->controller->machine.step * (size_t)rolling->controller->config->rollout->batch;
    char because[sizeof rolling->because];
    if (done)
        snprintf(because, sizeof because, "%zu endpoints are updated", before + rolling->count);
    else
        snprintf(because, sizeof because, "%.200s (%zu endpoints before it are updated)", rolling->because,
                 before);
    if (!done)
        rolling_stop(rolling);
    let_go(rolling);
    memcpy(rolling->because, because, sizeof because);
    rolling->ended = true;
}

// What cannot be journalled is not taken: then it is told again once the journal can be written.
static void tell(struct rolling *rolling) {
    struct machine *machine = &rolling->controller->machine;
    unsigned step = machine->step;
    if (machine->hold == HOLD_JOURNAL)
        return;
    char because[sizeof rolling->because];
    memcpy(because, rolling->because, sizeof because);
    struct rollout_event event = {.kind = rolling->failed ? EVENT_BATCH_FAILED : EVENT_BATCH_DONE,
                                  .because = because};
    rolling->ended = false; // the next batch may begin
    controller_send(rolling->controller, &event, NULL);
    if (machine->state == ROLLOUT_STEP && machine->step == step)
        rolling->ended = true;
}

void rolling_tick(struct rolling *rolling, uint64_t now_ns) {
    size_t done = 0;
    if (rolling->ended) {
        tell(rolling);
        return; // what began now goes on with the next tick
    }
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

#include "asks.h"

#include "base/clock.h"
#include "controller.h"
#include "gates.h"
#include "prometheus_poller.h"
#include "rolling.h"

#include <string.h>

struct poll { // of one guard
    struct asks *asks;
    struct prometheus_poller *poller;
    unsigned guard;
};
struct asks {
    struct controller *controller;
    const struct asks_settings *settings;
    struct gates *gates;     // NULL: not asked
    struct webhook *hook;    // NULL: not asked
    struct rolling *rolling; // NULL: another strategy
    struct poll polls[GUARDS_MOST];
    unsigned poll_count;
};

// ---- Prometheus

static void on_value(double baseline, double candidate, const char *error, void *context) {
    const struct poll *poll = context;
    guard_external(&poll->asks->controller->trial.guards[poll->guard], baseline, candidate, error);
}

// A guard and a signal may have the same name and ask differently.
static const struct prometheus_config *query_of(const struct rollout_config *config,
                                                const struct guard_settings *guard) {
    bool signal = guard->role == GUARD_SIGNAL;
    const struct guard_config *list = signal ? config->signals : config->guards;
    size_t count = signal ? config->signal_count : config->guard_count;
    for (size_t i = 0; i < count; i++)
        if (list[i].prometheus && strcmp(list[i].name, guard->name) == 0)
            return list[i].prometheus;
    return NULL;
}

static void poll_guard(struct asks *asks, unsigned index) {
    const struct controller *controller = asks->controller;
    const struct guard_settings *guard = &controller->trial.guards[index].settings;
    const struct rollout_config *config = controller->config->rollout;
    const struct prometheus_config *query = query_of(config, guard);
    struct poll *poll = &asks->polls[asks->poll_count++];
    must(query != NULL);
    bool compared = !(guard->limit == guard->limit); // NAN: no maximum, so it is held against the baseline's
    struct prometheus_poller_settings settings = {
        .url = query->url,
        .query = query->query,
        .route = controller->name,
        .candidate = guard->label ? guard->label : config->candidate,
        .baseline = compared ? config->baseline : NULL,
        .user_agent = asks->settings->user_agent,
    };
    poll->asks = asks;
    poll->guard = index;
    poll->poller =
        prometheus_poller_new(asks->settings->base, asks->settings->fetcher, &settings, on_value, poll);
}

struct asks *asks_new(struct controller *controller, const struct asks_settings *settings) {
    struct asks *asks = mem_zero(1, sizeof *asks);
    asks->controller = controller;
    asks->settings = settings;
    if (controller->plan.strategy == ROLLOUT_ROLLING)
        asks->rolling = rolling_new(controller, settings);
    for (unsigned i = 0; i < controller->trial.guard_count; i++)
        if (controller->trial.guards[i].settings.kind == GUARD_EXTERNAL)
            poll_guard(asks, i);
    return asks;
}

void asks_stop(struct asks *asks) {
    gates_cancel(asks->gates);
    if (asks->rolling)
        rolling_stop(asks->rolling);
    if (asks->hook)
        webhook_cancel(asks->hook);
    asks->gates = NULL;
    asks->hook = NULL;
}

void asks_free(struct asks *asks) {
    if (!asks)
        return;
    asks_stop(asks);
    for (unsigned i = 0; i < asks->poll_count; i++)
        prometheus_poller_free(asks->polls[i].poller);
    rolling_free(asks->rolling);
    mem_free(asks);
}

// ---- gates and hooks

static void on_gates(bool passed, const char *because, void *context) {
    struct asks *asks = context;
    struct rollout_event event = {.kind = passed ? EVENT_GATES_PASSED : EVENT_GATES_FAILED,
                                  .because = because};
    asks->gates = NULL;
    controller_send(asks->controller, &event, NULL);
}

void asks_gates(struct asks *asks) {
    const struct controller *controller = asks->controller;
    if (asks->gates)
        return;
    struct config *config = controller->control->config;
    size_t pool = controller->config->variants[controller->plan.candidate].pool_index;
    struct gates_request request = {
        .config = config,
        .route = controller->route,
        .pool = directory_pool(controller->control->directory, pool),
        .user_agent = asks->settings->user_agent,
    };
    asks->gates = gates_run(asks->settings->base, asks->settings->fetcher, &request, on_gates, asks);
}

// The news of the present moment; `weight` is the candidate's.
static struct hook_news news_of(const struct controller *controller, int64_t weight) {
    const struct machine *machine = &controller->machine;
    const struct rollout_config *config = controller->config->rollout;
    return (struct hook_news){
        .route = controller->name,
        .decision = controller->decision_number,
        .step = machine->step,
        .weight = weight,
        .from = rollout_state_name(controller->state_before),
        .to = rollout_state_name(machine->state),
        .baseline = config->baseline,
        .candidate = config->candidate,
        .version = machine->version[0] ? machine->version : NULL,
        .time_ms = clock_wall_ms(),
    };
}

static void on_hook(const struct webhook_answer *answer, void *context) {
    struct asks *asks = context;
    struct rollout_event event = {.kind = answer->accepted ? EVENT_HOOK_PASSED : EVENT_HOOK_FAILED,
                                  .because = answer->why};
    asks->hook = NULL;
    controller_send(asks->controller, &event, NULL);
}

void asks_hook(struct asks *asks) {
    struct controller *controller = asks->controller;
    const char *url = hook_url(&controller->config->rollout->hooks, HOOK_BEFORE_STEP);
    if (asks->hook || !url)
        return;
    struct strbuf body = {0};
    bool weighed = controller->plan.strategy != ROLLOUT_ROLLING;
    struct hook_news news =
        news_of(controller, weighed ? controller->plan.steps[controller->machine.step].weight : 0);
    news.because = strbuf_text(&controller->because);
    hook_write(HOOK_BEFORE_STEP, &news, &body);
    asks->hook = hook_ask(asks->settings->fetcher, url, strbuf_as_slice(&body), asks->settings->user_agent, 0,
                          on_hook, asks);
    strbuf_free(&body);
}

void asks_batch(struct asks *asks) {
    if (asks->rolling)
        rolling_start(asks->rolling);
}

void asks_take(struct asks *asks, struct asks *from) {
    if (asks->rolling && from->rolling)
        rolling_take(asks->rolling, from->rolling);
    asks_stop(from);
}

void asks_tick(struct asks *asks, uint64_t now_ns) {
    if (asks->rolling)
        rolling_tick(asks->rolling, now_ns);
}

void asks_tell_hook(struct asks *asks, enum hook_kind kind) {
    struct controller *controller = asks->controller;
    const char *url = hook_url(&controller->config->rollout->hooks, kind);
    if (!url)
        return;
    struct strbuf body = {0};
    struct hook_news news = news_of(controller, controller->machine.weights[controller->plan.candidate]);
    news.because = strbuf_text(&controller->because);
    hook_write(kind, &news, &body);
    notifier_send(asks->settings->notifier, kind == HOOK_ON_PROMOTE ? "on_promote" : "on_rollback", url,
                  strbuf_as_slice(&body));
    strbuf_free(&body);
}

void asks_tell_decision(struct asks *asks) {
    const struct controller *controller = asks->controller;
    const struct rollout_config *config = controller->config->rollout;
    if (config->notify_count && controller->decision.len)
        notifier_tell(asks->settings->notifier, config->notify, config->notify_count,
                      strbuf_as_slice(&controller->decision));
}

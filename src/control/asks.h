// asks: what a controller has under way in the world: gates, the hook before a step, Prometheus' metrics, and
// whoever is told of decisions. Answers come back as events of the machine. Owner: the controller. Control
// thread, asynchronous.
#pragma once
#include "hooks.h"
#include "notifier.h"

struct controller;
struct asks;
struct asks_settings { // of the daemon; outlives the asks
    struct event_base *base;
    struct fetcher *fetcher, *updates; // updates are long: nothing short waits behind them
    struct notifier *notifier;
    const char *user_agent;
};
// Begins to poll Prometheus for the guards that want it.
struct asks *asks_new(struct controller *controller, const struct asks_settings *settings);
void asks_free(struct asks *asks);  // cancels all but what the notifier has; NULL is allowed
void asks_stop(struct asks *asks);  // gates, hook and batch: their answers count no more
void asks_gates(struct asks *asks); // nothing happens while they are asked already
void asks_hook(struct asks *asks);
void asks_batch(struct asks *asks); // rolling: the batch of the machine's step
// After a reload, before anything is asked: what `from` has under way is taken over (a batch) or cancelled.
void asks_take(struct asks *asks, struct asks *from);
void asks_tick(struct asks *asks, uint64_t now_ns);
void asks_tell_hook(struct asks *asks, enum hook_kind kind); // on_promote, on_rollback
void asks_tell_decision(struct asks *asks);                  // the controller's last, to `notify`

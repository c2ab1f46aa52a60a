// rollouts_inside: what the rollouts consist of, for the files that they are written in.
#pragma once
#include "controller.h"
#include "rollouts.h"
#include "share.h"

#define ROLLOUTS_TICK_MS 250

struct rollouts {
    struct control *control;
    struct journal *journal; // NULL: not needed yet
    struct event *tick;
    struct fetcher *fetcher, *updates;
    struct notifier *notifier;
    char *user_agent;
    struct asks_settings asks;
    struct controller **controllers; // by route of the live plan; NULL where there is no rollout
    size_t count;
    void (*decided)(struct slice decision, void *context);
    void *decided_context;
    bool frozen; // another process has the journal
    // with a fleet
    bool begun;  // there was a configuration
    bool shared; // the first one had a fleet
    uint64_t reported_ns, grouped_ns, group_every_ns;
    size_t grouped_from;   // route whose groups come first in the next report
    struct link unclaimed; // records of routes that have no rollout here
};

// rollouts_fleet.c: one tick of what is of all routes together
void rollouts_share_tick(struct rollouts *rollouts, uint64_t now_ns);
void rollouts_end_shares(struct rollouts *rollouts, const char *why); // who waits for an answer gets this one
void rollouts_claim(struct rollouts *rollouts, struct controller *controller, struct controller *before);
void rollouts_unclaim(struct rollouts *rollouts, struct controller *gone);
void rollouts_forget_unclaimed(struct rollouts *rollouts);
struct controller *rollouts_named(const struct rollouts *rollouts, struct slice name);

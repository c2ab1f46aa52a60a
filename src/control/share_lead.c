// What the leader of a fleet does for a route: takes up what the last one left, tells the machine of time and
// evidence, and proposes what follows.
#include "base/clock.h"
#include "base/log.h"
#include "membership.h"
#include "share_inside.h"

#include <stdio.h>
#include <string.h>

#define JUDGE_MS     1000
#define ELAPSED_MOST 2000 // time in which nothing could be judged makes no step pass sooner
#define SAVE_NS      (UINT64_C(5) * NS_PER_S)
#define LOST_NS      (UINT64_C(2) * NS_PER_S)

// ---- taking up

struct share_reading {
    struct share *share; // NULL: it is not wanted any more
};

void share_forget_reading(struct share *share) {
    if (share->reading)
        share->reading->share = NULL;
    share->reading = NULL;
}

static void lead_from(struct share *share, struct slice text) {
    struct strbuf bytes = {0};
    struct error error;
    if (share->proposal || (share->revision && share_ledger_serial(text) > share->record.serial))
        return; // the watch is about to bring the record that this belongs to
    bool read = share_ledger_read(text, share->record.serial, &bytes) &&
                ledger_read(share->ledger, strbuf_as_slice(&bytes), &error) &&
                ledger_epoch(share->ledger) == share->record.epoch;
    strbuf_free(&bytes);
    share->ready = true;
    share->since_ms = 0;
    if (read) {
        if (share->controller->asks)
            controller_ask_again(share->controller);
        return;
    }
    if (!share->revision)
        return; // the first record is written with an empty one
    // What was taken of whom is not known: what was counted so far must not be taken again.
    log_warn("the fleet's ledger is missing, evidence goes on in another epoch", "route=%s",
             share->controller->name);
    ledger_reset(share->ledger, share->record.epoch);
    struct machine machine = share->controller->machine;
    if (share_agrees(share))
        share_propose(share, &machine, &(struct rollout_outcome){0}, EVENT_TICK, SHARE_RENUMBER, NULL);
}

static void ledger_came(struct slice text, const struct error *error, void *context) {
    struct share_reading *reading = context;
    struct share *share = reading->share;
    mem_free(reading);
    if (!share)
        return;
    share->reading = NULL;
    if (share->role == FLEET_LEADER && !error)
        lead_from(share, text); // else by the next tick
}

void share_begin_to_lead(struct share *share) {
    struct fleet *fleet = share_fleet(share);
    share->ready = false;
    share_forget_reading(share);
    if (!fleet || fleet_role(fleet) != FLEET_LEADER)
        return;
    share_reread(share);
    share->reading = mem_zero(1, sizeof *share->reading);
    share->reading->share = share;
    fleet_read_ledger(fleet, slice_of(share->controller->name), ledger_came, share->reading);
}

void share_stop_leading(struct share *share) {
    share_forget_reading(share);
    share->ready = false;
    share_forget_heard(share);
    if (share->controller->asks)
        asks_stop(share->controller->asks);
    share_refuse_events(share, "another instance leads the fleet now: ask again");
}

// ---- leading

static void step(struct share *share, struct rollout_event *event, struct share_event *from) {
    struct controller *controller = share->controller;
    struct machine after = controller->machine;
    struct rollout_outcome outcome;
    machine_step(&after, &controller->plan, event, &outcome);
    if (outcome.refused) {
        if (from)
            share_event_done(share, from, outcome.refused);
        return;
    }
    if (outcome.action == DECISION_NONE && !outcome.acts && !from) {
        controller->machine = after; // time has passed
        return;
    }
    enum share_evidence evidence = outcome.acts & ACT_FRESH_EVIDENCE ? SHARE_FRESH : SHARE_KEEP;
    share_propose(share, &after, &outcome, event->kind, evidence, from);
}

// The record as it stands, put before this file.
static bool adopted_record(struct share *share, struct machine *after, struct rollout_outcome *outcome) {
    struct controller *controller = share->controller;
    bool same = false, alone = controller->alone; // of this instance, not of the fleet
    struct error error;
    bool read = controller_restore(controller, share_text(share), &same, &error);
    controller->alone = alone;
    *after = controller->machine;
    if (read)
        machine_adopt(after, &controller->plan, share_version(share), same, outcome);
    return read;
}

// All files have the same rollout, and the record is of another one or there is none. A new version starts at
// once, so that no request sees the file's weights in between.
static void adopt(struct share *share) {
    struct controller *controller = share->controller;
    struct rollout_outcome adopted = {0}, started = {0};
    struct machine after = controller->machine;
    if (share->revision && !adopted_record(share, &after, &adopted))
        return;
    struct rollout_event event = {
        .kind = EVENT_VERSION, .version = share_version(share), .judgement = &controller->judgement};
    controller->judgement.fleet_differs = NULL;
    machine_step(&after, &controller->plan, &event, &started);
    struct rollout_outcome outcome = started.action == DECISION_NONE ? adopted : started;
    if (adopted.action != DECISION_NONE && started.action != DECISION_NONE)
        snprintf(outcome.because, sizeof outcome.because, "%.180s; %.180s", adopted.because, started.because);
    outcome.acts |= adopted.acts;
    bool fresh = outcome.acts & ACT_FRESH_EVIDENCE || !share->revision;
    share_propose(share, &after, &outcome, EVENT_VERSION, fresh ? SHARE_FRESH : SHARE_RENUMBER, NULL);
}

static void start_version(struct share *share) {
    struct controller *controller = share->controller;
    if (strcmp(controller->machine.version, share_version(share)) == 0)
        return;
    controller->judgement.fleet_differs = NULL;
    struct rollout_event event = {
        .kind = EVENT_VERSION, .version = share_version(share), .judgement = &controller->judgement};
    step(share, &event, NULL);
}

static void next_event(struct share *share, const char *differs) {
    struct share_event *event = list_entry(list_pop(&share->events), struct share_event, link);
    struct rollout_event told = share_event_of(share, event);
    share->controller->judgement.fleet_differs = differs;
    told.judgement = &share->controller->judgement;
    step(share, &told, event);
}

static void judge(struct share *share, const char *differs) {
    struct controller *controller = share->controller;
    int64_t elapsed = share->since_ms < ELAPSED_MOST ? share->since_ms : ELAPSED_MOST;
    share_take_evidence(share, share->since_ms);
    share->since_ms = 0;
    const char *blind = membership_blind(controller->control->membership);
    controller->judgement.fleet_differs = differs ? differs : blind;
    struct rollout_event event = {
        .kind = EVENT_TICK, .elapsed_ms = elapsed, .judgement = &controller->judgement};
    step(share, &event, NULL);
}

static void save(struct share *share) {
    struct machine machine = share->controller->machine;
    share_propose(share, &machine, &(struct rollout_outcome){0}, EVENT_TICK, SHARE_KEEP, NULL);
}

static void lead_agreed(struct share *share, const char *differs, uint64_t now_ns) {
    struct controller *controller = share->controller;
    if (!differs)
        start_version(share);
    if (!share->proposal && share->since_ms >= JUDGE_MS)
        judge(share, differs);
    bool due = now_ns - share->saved_ns >= SAVE_NS && rollout_state_running(controller->machine.state);
    if (!share->proposal && due)
        save(share);
    if (controller->asks)
        asks_tick(controller->asks, now_ns);
}

// Whether it was written is not known, and the watch has not brought it.
static bool lost(const struct proposal *proposal, uint64_t now_ns) {
    return proposal->unsure && now_ns - proposal->made_ns >= LOST_NS;
}

void share_lead(struct share *share, uint64_t now_ns) {
    const char *differs = share_differs(share);
    if (share->proposal && lost(share->proposal, now_ns)) {
        share_keep_back(share);
        share_drop(share, "it is not known whether etcd has it: look, and ask again");
        share_begin_to_lead(share);
        return;
    }
    if (share->proposal)
        return;
    if (share->unreadable)
        share_refuse_events(share, "the record that the fleet has of it cannot be used");
    else if (!share_agrees(share) && !differs)
        adopt(share);
    else if (share_agrees(share) && !list_empty(&share->events))
        next_event(share, differs);
    else if (share_agrees(share))
        lead_agreed(share, differs, now_ns);
    else
        share_refuse_events(share, differs);
}

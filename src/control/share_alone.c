// While etcd is away: the hard limits are judged on what this instance counts, and a rollback is carried out
// here. When it is back, the lower weight of the candidate wins.
#include "base/clock.h"
#include "base/log.h"
#include "share_inside.h"

#include <stdio.h>
#include <string.h>

#define ASK_NS    NS_PER_S
#define ASKS_MOST 20 // a fleet that is there and refuses has its reasons

static bool has_traffic(const struct share *share) {
    uint16_t weights[SPLIT_ARMS];
    share_weights(share, weights);
    return weights[share->controller->plan.baseline] < SHARE_WHOLE;
}

// One decision in this instance's own list; the fleet's numbers go on where they were.
static void decide_alone(struct share *share, const char *because, bool by_person) {
    struct controller *controller = share->controller;
    struct machine before = controller->machine, after = before;
    struct rollout_outcome outcome;
    struct error error;
    struct rollout_event event = {.kind = EVENT_ROLLBACK, .because = because};
    machine_step(&after, &controller->plan, &event, &outcome);
    outcome.action = DECISION_ROLLBACK;
    snprintf(outcome.because, sizeof outcome.because, SHARE_ALONE "%.300s", because);
    controller->machine = after;
    struct decided last = controller_compose(controller, &before, &outcome, by_person);
    controller_log_decision(controller, &outcome, by_person);
    controller->decisions[DECISION_ROLLBACK]++;
    if (!journal_decide(controller->journal, strbuf_as_slice(&controller->decision), &error))
        log_error("a decision is missing in decisions.jsonl", "route=%s error=\"%s\"", controller->name,
                  error.text);
    if (controller->asks) {
        asks_tell_hook(controller->asks, HOOK_ON_ROLLBACK);
        asks_tell_decision(controller->asks);
    }
    if (controller->decided)
        controller->decided(controller, controller->decided_context);
    controller->machine = before; // the fleet's, which decides what comes next
    controller->decision_number = last.number;
    controller_keep_composed(&last);
}

void share_take_back(struct share *share, const char *because, bool by_person) {
    if (share->controller->alone || !has_traffic(share))
        return;
    snprintf(share->alone_because, sizeof share->alone_because, "%s", because);
    share->controller->alone = true;
    controller_set_weights(share->controller);
    if (share->role == FLEET_APART)
        decide_alone(share, because, by_person);
    controller_save(share->controller);
}

void share_watch_limits(struct share *share) {
    static struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
    if (!rollout_state_judged(share->controller->machine.state) || share->controller->alone)
        return;
    trial_judge(&share->own, outcomes, &judgement);
    for (unsigned i = 0; i < share->own.guard_count; i++) {
        const struct guard_settings *settings = &share->own.guards[i].settings;
        if (settings->role != GUARD_LIMIT || settings->dry_run || outcomes[i].verdict != VERDICT_FAIL)
            continue;
        share_take_back(share, outcomes[i].because, false);
        return;
    }
}

static void asked(const struct error *refused, void *context) {
    (void)refused, (void)context; // it is asked again until the record says what is
}

static void follow_again(struct share *share) {
    share->controller->alone = false;
    controller_set_weights(share->controller);
    controller_save(share->controller);
}

// Still in another state than the fleet: it is asked to follow, or the fleet has gone on to something else.
void share_reconcile(struct share *share, uint64_t now_ns) {
    struct controller *controller = share->controller;
    if (!controller->alone || share->role == FLEET_APART || !share->revision)
        return;
    bool lower = share->weights[controller->plan.baseline] == SHARE_WHOLE;
    bool other = strcmp(share->record.version, share_version(share)) != 0;
    if (lower || other || !share->exposed) {
        follow_again(share);
        return;
    }
    if (share->alone_asked == ASKS_MOST) {
        log_warn("the fleet does not take the candidate back, this instance follows it again", "route=%s",
                 controller->name);
        follow_again(share);
        return;
    }
    if (now_ns - share->alone_asked_ns < ASK_NS || !list_empty(&share->forwarded) ||
        !list_empty(&share->events) || share->proposal)
        return;
    share->alone_asked_ns = now_ns;
    share->alone_asked++;
    char reason[300];
    snprintf(reason, sizeof reason, "taken back on %s: %.200s", fleet_name(share_fleet(share)),
             share->alone_because);
    struct rollout_event event = {.kind = EVENT_ROLLBACK, .because = reason};
    share_command(share, &event, (struct rollout_reply){asked, NULL});
}

// What the leader writes, and what becomes of it.
#include "base/clock.h"
#include "share_inside.h"

#include <string.h>

// ---- the end of a proposal

static void proposal_free(struct proposal *proposal) {
    strbuf_free(&proposal->decision);
    strbuf_free(&proposal->because);
    mem_free(proposal);
}

// Of the share; the fleet may still tell what came of it.
static void let_go(struct share *share) {
    struct proposal *proposal = share->proposal;
    share->proposal = NULL;
    proposal->share = NULL;
    if (proposal->written)
        proposal_free(proposal);
}

void share_drop(struct share *share, const char *why) {
    struct proposal *proposal = share->proposal;
    if (!proposal)
        return;
    if (proposal->event)
        share_event_done(share, proposal->event, why);
    proposal->event = NULL;
    let_go(share);
}

// Users are safe already when a rollback is written. Where that fails they stay so until the fleet follows.
void share_keep_back(struct share *share) {
    const struct proposal *proposal = share->proposal;
    if (proposal && proposal->outcome.action == DECISION_ROLLBACK)
        share_take_back(share, proposal->outcome.because, proposal->kind >= EVENT_PROMOTE);
}

static void refused(struct share *share) {
    share_keep_back(share);
    share_drop(share, "another instance leads the fleet now: ask again");
    // The ledger and the evidence have what was not written.
    if (share->role == FLEET_LEADER)
        share_begin_to_lead(share);
}

static void on_written(enum fleet_written written, int64_t revision, void *context) {
    struct proposal *proposal = context;
    struct share *share = proposal->share;
    (void)revision; // the watch brings it
    proposal->written = true;
    if (!share) {
        proposal_free(proposal);
        return;
    }
    proposal->unsure = written == FLEET_WRITE_UNKNOWN;
    if (written == FLEET_WRITE_REFUSED)
        refused(share);
    // What nobody knows of is known when the next record comes: from the watch, or after the next joining;
    // or when it should have come long ago (share_lead).
}

// ---- writing

static const char done[] = "{\"refused\":null}";

static void write_ledger(const struct share *share, uint64_t serial, struct strbuf *out) {
    struct strbuf bytes = {0};
    ledger_write(share->ledger, &bytes);
    share_ledger_write(serial, strbuf_as_slice(&bytes), out);
    strbuf_free(&bytes);
}

// What the proposal does to what is measured is done before it is written, so that the record has it.
static void change_evidence(struct share *share, enum share_evidence evidence, unsigned acts,
                            uint32_t epoch) {
    struct controller *controller = share->controller;
    uint64_t next = experiment_tick(clock_monotonic_ns()) + 1;
    if (evidence == SHARE_FRESH) {
        trial_reset(&controller->trial, next);
        if (controller->contest)
            contest_reset(controller->contest, next);
    }
    if (evidence != SHARE_KEEP) {
        ledger_reset(share->ledger, epoch);
        share_forget_heard(share);
    }
    if (acts & ACT_STEP_BEGINS)
        trial_step_begins(&controller->trial);
}

static void next_record(const struct share *share, const struct machine *after, enum share_evidence evidence,
                        struct share_record *record) {
    bool first = !share->revision;
    *record = (struct share_record){
        .serial = share->record.serial + 1,
        .nonce = share->nonce,
        .epoch = share->record.epoch + (evidence != SHARE_KEEP),
        .shares = share->record.shares,
        .spec = share_fingerprint(share),
        .version = (char *)share_version(share),
    };
    bool others = first || memcmp(after->weights, share->weights, sizeof after->weights) != 0;
    if (others || evidence != SHARE_KEEP)
        record->shares = (uint32_t)record->serial;
    snprintf(record->by, sizeof record->by, "%s", fleet_id(share_fleet(share)));
}

static struct proposal *proposal_new(struct share *share, const struct machine *after,
                                     const struct rollout_outcome *outcome, enum rollout_event_kind kind,
                                     struct share_event *event) {
    struct proposal *proposal = mem_zero(1, sizeof *proposal);
    *proposal = (struct proposal){.share = share,
                                  .event = event,
                                  .before = share->controller->machine,
                                  .after = *after,
                                  .outcome = *outcome,
                                  .kind = kind,
                                  .number = share->controller->decision_number,
                                  .nonce = ++share->nonce,
                                  .made_ns = clock_monotonic_ns()};
    return proposal;
}

// The controller's text as it will be; the controller is as before afterwards, but for its evidence.
static void compose(struct share *share, struct proposal *proposal, enum share_evidence evidence,
                    struct share_record *record) {
    struct controller *controller = share->controller;
    bool decides = proposal->outcome.action != DECISION_NONE;
    struct decided last;
    controller->machine = proposal->after;
    if (decides)
        last = controller_compose(controller, &proposal->before, &proposal->outcome,
                                  proposal->kind >= EVENT_PROMOTE);
    change_evidence(share, evidence, proposal->outcome.acts, record->epoch);
    bool alone = controller->alone; // of this instance, not of the fleet
    controller->alone = false;
    controller_write(controller, &record->text);
    controller->alone = alone;
    if (decides) {
        strbuf_slice(&proposal->decision, strbuf_as_slice(&controller->decision));
        strbuf_slice(&proposal->because, strbuf_as_slice(&controller->because));
        proposal->number = controller->decision_number;
        controller_undo_composed(controller, &last);
    }
    controller->machine = proposal->before;
}

void share_propose(struct share *share, const struct machine *after, const struct rollout_outcome *outcome,
                   enum rollout_event_kind kind, enum share_evidence evidence, struct share_event *event) {
    struct fleet *fleet = share_fleet(share);
    struct strbuf state = {0}, ledger = {0};
    struct share_record record;
    struct proposal *proposal = proposal_new(share, after, outcome, kind, event);
    must(!share->proposal && fleet);
    share->proposal = proposal;
    next_record(share, after, evidence, &record);
    compose(share, proposal, evidence, &record);
    if (outcome->action == DECISION_ROLLBACK && share->exposed) {
        uint16_t kept[SPLIT_ARMS];
        memcpy(kept, share->weights, sizeof kept);
        memcpy(share->weights, after->weights, sizeof share->weights);
        controller_set_weights(share->controller);
        memcpy(share->weights, kept, sizeof share->weights);
    }
    share_record_write(&record, &state);
    write_ledger(share, record.serial, &ledger);
    struct fleet_write write = {.route = slice_of(share->controller->name),
                                .state = strbuf_as_slice(&state),
                                .ledger = strbuf_as_slice(&ledger),
                                .decision = strbuf_as_slice(&proposal->decision),
                                .number = proposal->number,
                                .before = share->revision};
    if (event && event->ask.len) {
        write.ask = strbuf_as_slice(&event->ask);
        write.ask_revision = event->ask_revision;
        write.answer = slice_of(done);
    }
    share->saved_ns = clock_monotonic_ns();
    fleet_write(fleet, &write, on_written, proposal);
    strbuf_free(&record.text);
    strbuf_free(&state);
    strbuf_free(&ledger);
}

// ---- it stands there

void share_carried(struct share *share) {
    struct controller *controller = share->controller;
    struct proposal *proposal = share->proposal;
    controller->machine = proposal->after;
    memcpy(share->weights, proposal->after.weights, sizeof share->weights);
    if (proposal->outcome.action != DECISION_NONE) {
        strbuf_free(&controller->decision);
        strbuf_free(&controller->because);
        controller->decision = proposal->decision;
        controller->because = proposal->because;
        proposal->decision = proposal->because = (struct strbuf){0};
        controller->decision_number = proposal->number;
        controller->state_before = proposal->before.state;
        controller->decisions[proposal->outcome.action]++;
        controller_log_decision(controller, &proposal->outcome, proposal->kind >= EVENT_PROMOTE);
        share_list_decision(share);
    }
}

void share_tell_carried(struct share *share) {
    struct controller *controller = share->controller;
    struct proposal *proposal = share->proposal;
    controller_ask(controller, proposal->outcome.acts);
    if (proposal->outcome.action != DECISION_NONE) {
        if (controller->asks)
            asks_tell_decision(controller->asks);
        if (controller->decided)
            controller->decided(controller, controller->decided_context);
    }
    struct share_event *event = proposal->event;
    proposal->event = NULL;
    let_go(share);
    if (event)
        share_event_done(share, event, NULL);
}

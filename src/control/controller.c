#include "base/clock.h"
#include "base/log.h"
#include "control/emit.h"
#include "controller_inside.h"
#include "share.h"

#include <string.h>

#define UNLISTED_MOST 65536 // bytes

// ---- making and keeping

// The candidates of an A/B test beside the first.
static void add_others(const struct controller *controller, struct trial_settings *settings) {
    const struct route_config *route = controller->config;
    for (size_t i = 0; controller->plan.strategy == ROLLOUT_AB && i < route->variant_count; i++)
        if (i != route->baseline && i != controller->plan.candidate && route->variants[i].weight > 0)
            settings->others[settings->other_count++] = (struct trial_other){i, route->variants[i].name};
}

struct controller *controller_new(struct control *control, struct journal *journal,
                                  const struct route_config *config, size_t route,
                                  struct experiment *experiment, const struct pool_config *pool,
                                  bool shared) {
    struct controller *controller = mem_zero(1, sizeof *controller);
    controller->control = control;
    controller->journal = journal;
    controller->name = mem_copy_string(config->name);
    controller->route = route;
    controller->config = config;
    controller->experiment = experiment_ref(experiment);
    rollout_plan_read(&controller->plan, config, pool);
    machine_init(&controller->machine, &controller->plan);
    struct trial_settings settings = {
        .config = config->rollout,
        .baseline = config->rollout->control ? config->variant_count : config->baseline,
        .candidate = config->rollout->candidate_index,
        .arms = config->variant_count + 1,
    };
    add_others(controller, &settings);
    uint64_t now = clock_monotonic_ns();
    trial_init(&controller->trial, &settings, experiment_tick(now));
    controller->ticked_ns = controller->saved_ns = now;
    if (config->rollout->strategy == ROLLOUT_AB) {
        struct contest_settings goal;
        contest_read(&goal, config);
        trial_take_goal(&controller->trial, &goal.goal);
        controller->contest = mem_zero(1, sizeof *controller->contest);
        contest_init(controller->contest, &goal, experiment_tick(now));
    }
    if (shared)
        controller->share = share_new(controller);
    return controller;
}

void controller_free(struct controller *controller) {
    if (!controller)
        return;
    asks_free(controller->asks);
    share_free(controller->share);
    mem_free(controller->contest);
    experiment_unref(controller->experiment);
    strbuf_free(&controller->decision);
    strbuf_free(&controller->because);
    strbuf_free(&controller->unlisted);
    mem_free(controller->name);
    mem_free(controller);
}

void controller_write(const struct controller *controller, struct strbuf *out) {
    struct rollout_record record = {
        .route = controller->config,
        .machine = (struct machine *)&controller->machine,
        .trial = (struct trial *)&controller->trial,
        .contest = controller->contest,
        .decision_number = controller->decision_number,
        .decision = controller->decision,
        .because = controller->because,
        .alone = controller->alone,
    };
    rollout_record_write(&record, out);
}

bool controller_restore(struct controller *controller, struct slice text, bool *same, struct error *error) {
    struct rollout_record record = {.route = controller->config,
                                    .machine = &controller->machine,
                                    .trial = &controller->trial,
                                    .contest = controller->contest};
    bool read = rollout_record_read(&record, text, same, error);
    if (!read) {
        strbuf_free(&record.decision);
        strbuf_free(&record.because);
        return false;
    }
    strbuf_free(&controller->decision);
    strbuf_free(&controller->because);
    controller->decision_number = record.decision_number;
    controller->decision = record.decision;
    controller->because = record.because;
    controller->alone = record.alone;
    return true;
}

// ---- the journal

static bool journal_state(struct controller *controller, struct error *error) {
    struct strbuf text = {0};
    controller_write(controller, &text);
    bool saved = journal_save(controller->journal, controller->name, strbuf_as_slice(&text), error);
    strbuf_free(&text);
    return saved;
}

static void tell_journal(struct controller *controller, bool works, const struct error *error) {
    if (works == !controller->journal_failing)
        return;
    controller->journal_failing = !works;
    if (!works)
        log_error(controller->share ? "the journal cannot be written, the fleet's record is elsewhere"
                                    : "the journal cannot be written, rollouts hold",
                  "route=%s error=\"%s\"", controller->name, error->text);
    if (controller->share) // what the fleet has is safe elsewhere
        return;
    struct rollout_event event = {.kind = works ? EVENT_JOURNAL_WORKS : EVENT_JOURNAL_FAILED,
                                  .because = error->text};
    controller_send(controller, &event, NULL);
}

void controller_save(struct controller *controller) {
    struct error error = {{0}};
    controller->saved_ns = clock_monotonic_ns();
    bool saved = journal_state(controller, &error);
    tell_journal(controller, saved, &error);
}

// ---- the decision that is being made

struct decided controller_compose(struct controller *controller, const struct machine *before,
                                  const struct rollout_outcome *outcome, bool by_person) {
    struct decided last = {controller->decision_number, controller->decision, controller->because};
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    controller->decision_number++;
    controller_emit_decision(controller, before, outcome, by_person, &emit);
    controller->decision = text;
    controller->because = (struct strbuf){0};
    strbuf_string(&controller->because, outcome->because);
    return last;
}

void controller_keep_composed(struct decided *last) {
    strbuf_free(&last->decision);
    strbuf_free(&last->because);
}

void controller_undo_composed(struct controller *controller, const struct decided *last) {
    strbuf_free(&controller->decision);
    strbuf_free(&controller->because);
    controller->decision_number = last->number;
    controller->decision = last->decision;
    controller->because = last->because;
}

// What was done although it could not be written is listed before the next one.
static bool list_unlisted(struct controller *controller, struct error *error) {
    struct strbuf *unlisted = &controller->unlisted;
    while (unlisted->len) {
        struct slice rest = strbuf_as_slice(unlisted);
        if (!journal_decide(controller->journal, slice_cut(&rest, '\n'), error))
            return false;
        memmove(unlisted->at, rest.at, rest.len);
        unlisted->len = rest.len;
    }
    return true;
}

static void leave_unlisted(struct controller *controller) {
    if (controller->unlisted.len > UNLISTED_MOST)
        return; // the log has it
    strbuf_slice(&controller->unlisted, strbuf_as_slice(&controller->decision));
    strbuf_char(&controller->unlisted, '\n');
}

// The state goes first, with the decision in it: what a crash leaves out of the list of decisions is put
// there at the next start.
static bool journal_decision(struct controller *controller, struct error *error) {
    return journal_state(controller, error) && list_unlisted(controller, error) &&
           journal_decide(controller->journal, strbuf_as_slice(&controller->decision), error);
}

// Safety and a person's word do not wait for a disk; everything else does.
static bool may_go_on(const struct rollout_outcome *outcome, bool by_person, enum rollout_event_kind kind) {
    return by_person || outcome->action == DECISION_ROLLBACK || kind == EVENT_JOURNAL_FAILED;
}

void controller_carry_out(struct controller *controller, const struct machine *before,
                          const struct rollout_outcome *outcome, enum rollout_event_kind kind) {
    struct error error = {{0}};
    bool by_person = kind >= EVENT_PROMOTE;
    // Users are safe first; a crash before it is written only finds the harm again.
    unsigned acts = outcome->acts;
    if (outcome->action == DECISION_ROLLBACK) {
        controller_act(controller, acts & ACT_WEIGHTS);
        acts &= ~(unsigned)ACT_WEIGHTS;
    }
    if (outcome->action != DECISION_NONE) {
        struct decided last = controller_compose(controller, before, outcome, by_person);
        bool written = kind != EVENT_JOURNAL_FAILED && journal_decision(controller, &error);
        if (!written && !may_go_on(outcome, by_person, kind)) {
            controller_undo_composed(controller, &last);
            controller->machine = *before;
            tell_journal(controller, false, &error);
            return;
        }
        controller_keep_composed(&last);
        if (!written)
            leave_unlisted(controller);
        controller->decisions[outcome->action]++;
        controller->state_before = before->state;
        controller_log_decision(controller, outcome, by_person);
        controller_act(controller, acts);
        controller_ask(controller, acts);
        if (controller->asks)
            asks_tell_decision(controller->asks);
        if (controller->decided)
            controller->decided(controller, controller->decided_context);
        if (!written && kind != EVENT_JOURNAL_FAILED)
            tell_journal(controller, false, &error);
    } else {
        controller_act(controller, acts);
        controller_ask(controller, acts);
    }
}

bool controller_send(struct controller *controller, const struct rollout_event *event, struct error *error) {
    if (controller->share) {
        share_send(controller->share, event);
        return true;
    }
    struct machine before = controller->machine;
    struct rollout_outcome outcome;
    machine_step(&controller->machine, &controller->plan, event, &outcome);
    if (outcome.refused)
        return error_set(error, "%s", outcome.refused);
    controller_carry_out(controller, &before, &outcome, event->kind);
    return true;
}

#include "controller.h"

#include "base/clock.h"
#include "base/log.h"
#include "control/emit.h"

#include <string.h>

#define SAVE_NS       (UINT64_C(5) * NS_PER_S) // how much evidence a crash may cost
#define LOOK_NS       NS_PER_S
#define UNLISTED_MOST 65536 // bytes

// ---- making and keeping

// The candidates of an A/B test beside the first.
static void add_others(const struct controller *controller, struct trial_settings *settings) {
    const struct route_config *route = controller->config;
    for (size_t i = 0; controller->plan.strategy == ROLLOUT_AB && i < route->variant_count; i++)
        if (i != route->baseline && i != controller->plan.candidate && route->variants[i].weight > 0)
            settings->others[settings->other_count++] = (struct trial_other){i, route->variants[i].name};
}

// The candidate that has traffic although the baseline has none; the first one otherwise.
static size_t watched_arm(const struct controller *controller) {
    const uint16_t *weights = controller->machine.weights;
    const struct trial_settings *settings = &controller->trial.settings;
    for (unsigned i = 0; i < settings->other_count; i++)
        if (weights[settings->others[i].arm] == SHARE_WHOLE)
            return settings->others[i].arm;
    return controller->plan.candidate;
}

struct controller *controller_new(struct control *control, struct journal *journal,
                                  const struct route_config *config, size_t route,
                                  struct experiment *experiment, const struct pool_config *pool) {
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
    return controller;
}

void controller_free(struct controller *controller) {
    if (!controller)
        return;
    asks_free(controller->asks);
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
        log_error("the journal cannot be written, rollouts hold", "route=%s error=\"%s\"", controller->name,
                  error->text);
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

struct decided { // the one before it
    uint64_t number;
    struct strbuf decision, because;
};

static struct decided compose(struct controller *controller, const struct machine *before,
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

static void keep_composed(struct decided *last) {
    strbuf_free(&last->decision);
    strbuf_free(&last->because);
}

static void undo_composed(struct controller *controller, const struct decided *last) {
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

// ---- acting

static void begin_anew(struct controller *controller) {
    trial_reset(&controller->trial, experiment_tick(clock_monotonic_ns()) + 1);
    if (controller->contest)
        contest_reset(controller->contest, experiment_tick(clock_monotonic_ns()) + 1);
    experiment_reset_groups(controller->experiment);
    experiment_forget_units(controller->experiment);
    trial_judge(&controller->trial, controller->outcomes,
                &controller->judgement); // what is shown begins anew too
}

static void set_weights(struct controller *controller) {
    const struct split *split =
        coming_split(&publisher_plan(controller->control->publisher)->routes[controller->route].live);
    bool same = true;
    for (size_t i = 0; i < controller->plan.variant_count; i++)
        same = same && split->weight[i] == controller->machine.weights[i];
    if (same)
        return;
    experiment_forget_units(controller->experiment);
    // Blue to green is one moment for everybody; back is as fast as can be.
    if (controller->plan.strategy == ROLLOUT_BLUE_GREEN &&
        controller->machine.weights[controller->plan.candidate] == SHARE_WHOLE)
        publisher_turn(controller->control->publisher, &controller->control->adoption, controller->route,
                       controller->machine.weights);
    else
        publisher_set_weights(controller->control->publisher, controller->route, controller->machine.weights,
                              false);
}

static void act(struct controller *controller, unsigned acts) {
    if (acts & ACT_FRESH_EVIDENCE)
        begin_anew(controller);
    if (acts & ACT_WEIGHTS)
        set_weights(controller);
    if (acts & ACT_STEP_BEGINS)
        trial_step_begins(&controller->trial);
}

// What the world is asked and told.
static void ask(struct controller *controller, unsigned acts) {
    if (!controller->asks)
        return;
    if (acts & ACT_STOP_ASKING)
        asks_stop(controller->asks);
    if (acts & ACT_ASK_GATES)
        asks_gates(controller->asks);
    if (acts & ACT_ASK_HOOK)
        asks_hook(controller->asks);
    if (acts & ACT_BATCH)
        asks_batch(controller->asks);
    if (acts & ACT_TELL_PROMOTE)
        asks_tell_hook(controller->asks, HOOK_ON_PROMOTE);
    if (acts & ACT_TELL_ROLLBACK)
        asks_tell_hook(controller->asks, HOOK_ON_ROLLBACK);
}

void controller_go_live(struct controller *controller, const struct asks_settings *settings,
                        struct controller *before) {
    controller->asks = asks_new(controller, settings);
    if (!before)
        return;
    memcpy(controller->decisions, before->decisions, sizeof before->decisions);
    controller->unlisted = before->unlisted;
    before->unlisted = (struct strbuf){0};
    controller->journal_failing = before->journal_failing;
    asks_take(controller->asks, before->asks);
}

void controller_ask_again(struct controller *controller) {
    enum rollout_hold hold = controller->machine.hold;
    if (controller->machine.state == ROLLOUT_GATES && hold != HOLD_GATE)
        asks_gates(controller->asks);
    if (controller->machine.state == ROLLOUT_HOOK && hold != HOLD_HOOK)
        asks_hook(controller->asks);
    if (controller->machine.state == ROLLOUT_STEP && controller->plan.strategy == ROLLOUT_ROLLING)
        asks_batch(controller->asks);
}

static void log_decision(const struct controller *controller, const struct rollout_outcome *outcome,
                         bool by_person) {
    static const char sentence[] = "rollout";
    bool bad = outcome->action == DECISION_ROLLBACK || outcome->action == DECISION_HOLD ||
               outcome->action == DECISION_STOP || outcome->action == DECISION_GATE;
    if (bad)
        log_warn(sentence, "route=%s decision=%s by=%s state=%s weight=%g because=\"%s\"", controller->name,
                 decision_action_name(outcome->action), by_person ? "person" : "controller",
                 rollout_state_name(controller->machine.state),
                 controller->machine.weights[controller->plan.candidate] / 100.0, outcome->because);
    else
        log_info(sentence, "route=%s decision=%s by=%s state=%s weight=%g because=\"%s\"", controller->name,
                 decision_action_name(outcome->action), by_person ? "person" : "controller",
                 rollout_state_name(controller->machine.state),
                 controller->machine.weights[controller->plan.candidate] / 100.0, outcome->because);
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
        act(controller, acts & ACT_WEIGHTS);
        acts &= ~(unsigned)ACT_WEIGHTS;
    }
    if (outcome->action != DECISION_NONE) {
        struct decided last = compose(controller, before, outcome, by_person);
        bool written = kind != EVENT_JOURNAL_FAILED && journal_decision(controller, &error);
        if (!written && !may_go_on(outcome, by_person, kind)) {
            undo_composed(controller, &last);
            controller->machine = *before;
            tell_journal(controller, false, &error);
            return;
        }
        keep_composed(&last);
        if (!written)
            leave_unlisted(controller);
        controller->decisions[outcome->action]++;
        controller->state_before = before->state;
        log_decision(controller, outcome, by_person);
        act(controller, acts);
        ask(controller, acts);
        if (controller->asks)
            asks_tell_decision(controller->asks);
        if (controller->decided)
            controller->decided(controller, controller->decided_context);
        if (!written && kind != EVENT_JOURNAL_FAILED)
            tell_journal(controller, false, &error);
    } else {
        act(controller, acts);
        ask(controller, acts);
    }
}

bool controller_send(struct controller *controller, const struct rollout_event *event, struct error *error) {
    struct machine before = controller->machine;
    struct rollout_outcome outcome;
    machine_step(&controller->machine, &controller->plan, event, &outcome);
    if (outcome.refused)
        return error_set(error, "%s", outcome.refused);
    controller_carry_out(controller, &before, &outcome, event->kind);
    return true;
}

// ---- ticks

static bool read_cell(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    return experiment_read(context, arm, tick, cell);
}

static const struct plan_route *live_route(const struct controller *controller) {
    return &publisher_plan(controller->control->publisher)->routes[controller->route];
}

static void aim(struct controller *controller, const struct plan_route *route) {
    static struct variant_lane total; // large; one thread
    variant_total(route->variants[controller->config->baseline].series, &total);
    if (trial_aim(&controller->trial, &total.duration.fine, &total.first_token.fine))
        controller->trial.version =
            experiment_set_thresholds(controller->experiment, &controller->trial.thresholds);
}

static void look_at_units(struct controller *controller, const struct plan_route *route) {
    static struct experiment_group groups[2][EXPERIMENT_GROUPS];
    const struct trial_settings *settings = &controller->trial.settings;
    uint64_t units[EXPERIMENT_ARMS];
    double shares[EXPERIMENT_ARMS] = {0};
    experiment_groups(controller->experiment, settings->baseline, groups[0]);
    experiment_groups(controller->experiment, settings->candidate, groups[1]);
    for (unsigned i = 0; i < settings->other_count; i++) { // all candidates together
        static struct experiment_group more[EXPERIMENT_GROUPS];
        experiment_groups(controller->experiment, settings->others[i].arm, more);
        experiment_groups_add(groups[1], more);
    }
    trial_design(&controller->trial, groups[0], groups[1]);
    for (unsigned i = 0; controller->contest && i < controller->contest->settings.count; i++) {
        experiment_groups(controller->experiment, controller->contest->settings.arms[i], groups[0]);
        contest_design(controller->contest, i, groups[0]);
    }
    for (size_t i = 0; i < controller->config->variant_count; i++)
        shares[i] = live_split(&route->live)->weight[i] / (double)SHARE_WHOLE;
    double slice = (route->control_end - route->control_from) / (double)SHARE_WHOLE;
    shares[plan_control_arm(route)] = slice;
    shares[controller->config->baseline] -= slice;
    experiment_arrivals(controller->experiment, route->epoch, units);
    trial_ratio(&controller->trial, units, shares);
}

void controller_tick(struct controller *controller, uint64_t now_ns) {
    const struct plan_route *route = live_route(controller);
    int64_t elapsed_ms = (int64_t)((now_ns - controller->ticked_ns) / NS_PER_MS);
    struct trial_source source = {read_cell, controller->experiment};
    controller->ticked_ns += (uint64_t)elapsed_ms * NS_PER_MS;
    size_t arm = watched_arm(controller);
    const uint16_t *weights = controller->machine.weights;
    trial_watch(&controller->trial, weights[controller->config->baseline] == 0 && weights[arm] > 0, arm);
    if (now_ns - controller->looked_ns >= LOOK_NS) {
        controller->looked_ns = now_ns;
        aim(controller, route);
        look_at_units(controller, route);
    }
    trial_advance(&controller->trial, experiment_tick(now_ns), elapsed_ms, &source);
    trial_judge(&controller->trial, controller->outcomes, &controller->judgement);
    if (controller->contest) {
        contest_advance(controller->contest, experiment_tick(now_ns), &source);
        controller->judgement.winner = controller_judge_contest(controller);
        bool harm = controller->judgement.guards == VERDICT_FAIL; // that is why, whoever is winning
        bool open = controller->machine.state == ROLLOUT_STEP;
        if (open && !harm &&
            (controller->judgement.guards == VERDICT_PASS || controller->judgement.winner >= 0))
            controller->judgement.because = controller->goal_because;
    }
    struct rollout_event event = {
        .kind = EVENT_TICK, .elapsed_ms = elapsed_ms, .judgement = &controller->judgement};
    controller_send(controller, &event, NULL);
    asks_tick(controller->asks, now_ns);
    bool due = now_ns - controller->saved_ns >= (controller->journal_failing ? LOOK_NS : SAVE_NS);
    if (due && (rollout_state_running(controller->machine.state) || controller->journal_failing))
        controller_save(controller);
}

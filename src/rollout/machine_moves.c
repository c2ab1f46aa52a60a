// The moves between states: each sets weights, says what is to be done, and why.
#include "machine_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void move_decide(struct move *move, enum decision_action action, const char *format, ...) {
    va_list arguments;
    move->outcome->action = action;
    va_start(arguments, format);
    vsnprintf(move->outcome->because, sizeof move->outcome->because, format, arguments);
    va_end(arguments);
}

void move_act(struct move *move, unsigned acts) {
    move->outcome->acts |= acts;
}

void move_refuse(struct move *move, const char *why) {
    move->outcome->refused = why;
}

const char *move_because(const struct move *move) {
    const struct rollout_event *event = move->event;
    if (event->because && event->because[0])
        return event->because;
    return event->kind >= EVENT_PROMOTE ? "a person asked for it" : "no reason was given";
}

static void to(struct move *move, enum rollout_state state) {
    move->machine->state = state;
    move->machine->state_ms = 0;
    move->machine->trouble = HOLD_NONE;
    move->machine->trouble_ms = 0;
}

// ---- weights

static bool weighs(const struct rollout_plan *plan) {
    return plan->strategy == ROLLOUT_CANARY || plan->strategy == ROLLOUT_BLUE_GREEN;
}

// The candidate's weight as given; other variants keep the file's as far as there is room; the baseline has
// the rest.
void move_give(struct move *move, int64_t weight) {
    const struct rollout_plan *plan = move->plan;
    uint16_t *weights = move->machine->weights;
    int64_t left = SHARE_WHOLE - weight;
    for (size_t i = 0; i < plan->variant_count; i++) {
        if (i == plan->baseline || i == plan->candidate)
            continue;
        weights[i] = plan->file_weights[i] <= left ? plan->file_weights[i] : 0;
        left -= weights[i];
    }
    weights[plan->candidate] = (uint16_t)weight;
    weights[plan->baseline] = (uint16_t)left;
    move_act(move, ACT_WEIGHTS);
}

static void give_all(struct move *move, size_t variant) {
    memset(move->machine->weights, 0, sizeof move->machine->weights);
    move->machine->weights[variant] = SHARE_WHOLE;
    move_act(move, ACT_WEIGHTS);
}

static void give_as_in_file(struct move *move) {
    memcpy(move->machine->weights, move->plan->file_weights, sizeof move->machine->weights);
    move_act(move, ACT_WEIGHTS);
}

static size_t winner(const struct move *move) {
    return move->machine->winner >= 0 ? (size_t)move->machine->winner : move->plan->candidate;
}

void move_step_weights(struct move *move) {
    if (move->machine->state == ROLLOUT_WATCH)
        give_all(move, winner(move));
    else if (move->plan->strategy == ROLLOUT_AB)
        give_as_in_file(move);
    else if (weighs(move->plan))
        move_give(move, move->machine->reached);
}

// ---- forward

void move_start(struct move *move) {
    struct machine *machine = move->machine;
    machine->hold = move_apart(move) ? HOLD_FLEET : HOLD_NONE;
    machine->step = 0;
    machine->reached = 0;
    machine->members = move->plan->members;
    machine->total_ms = 0;
    machine->winner = -1;
    machine->warm = machine->skipped_by_person = false;
    if (move->event->version)
        snprintf(machine->version, sizeof machine->version, "%s", move->event->version);
    if (weighs(move->plan))
        move_give(move, 0);
    else
        give_as_in_file(move);
    move_act(move, ACT_FRESH_EVIDENCE | ACT_STOP_ASKING);
    char why[160];
    snprintf(why, sizeof why, "version %s starts (%s)",
             machine->version[0] ? machine->version : "without a name",
             move->event->kind == EVENT_VERSION ? "it is new" : move_because(move));
    if (move->plan->gated) {
        to(move, ROLLOUT_GATES);
        if (machine->hold == HOLD_NONE)
            move_act(move, ACT_ASK_GATES);
    } else {
        to(move, ROLLOUT_HOOK);
        move_stand_before(move, 0, why);
    }
    move_decide(move, DECISION_START, "%s", why);
}

const char *move_apart(const struct move *move) {
    bool known = move->event->judgement && move->plan->strategy != ROLLOUT_ROLLING;
    return known ? move->event->judgement->fleet_differs : NULL;
}

void move_let_go(struct move *move) {
    move->machine->hold = move_apart(move) ? HOLD_FLEET : HOLD_NONE;
    if (move->machine->hold == HOLD_NONE)
        move_ask_again(move);
}

void move_ask_again(struct move *move) {
    enum rollout_state state = move->machine->state;
    if (state != ROLLOUT_GATES && state != ROLLOUT_HOOK)
        return;
    move->machine->state_ms = 0;
    move_act(move, ACT_STOP_ASKING);
    if (state == ROLLOUT_GATES)
        move_act(move, ACT_ASK_GATES);
    else if (move->plan->hooked)
        move_act(move, ACT_ASK_HOOK);
    else // a reload left it in front of the step
        move_go_live(move, move_because(move));
}

void move_go_live(struct move *move, const char *why) {
    const struct rollout_plan *plan = move->plan;
    struct machine *machine = move->machine;
    if (weighs(plan) && plan->steps[machine->step].weight == SHARE_WHOLE) {
        move_promote(move, why);
        return;
    }
    to(move, ROLLOUT_STEP);
    move_act(move, ACT_STEP_BEGINS);
    if (plan->strategy == ROLLOUT_ROLLING) {
        move_act(move, ACT_BATCH);
        move_decide(move, DECISION_STEP, "batch %u of %u: %s", machine->step + 1, plan->step_count, why);
        return;
    }
    machine->reached = (uint16_t)plan->steps[machine->step].weight;
    move_step_weights(move);
    move_decide(move, DECISION_STEP, "step %u of %u, %g %% for the candidate: %s", machine->step + 1,
                plan->step_count, machine->weights[plan->candidate] / 100.0, why);
}

void move_enter(struct move *move, unsigned step, const char *why) {
    const struct rollout_plan *plan = move->plan;
    struct machine *machine = move->machine;
    if (step >= plan->step_count) {
        if (weighs(plan))
            move_promote(move, why);
        else
            move_complete(move, why);
        return;
    }
    machine->step = step;
    machine->hold = machine->hold == HOLD_PERSON ? HOLD_PERSON : HOLD_NONE;
    if (weighs(plan) && plan->steps[step].weight < 0) {
        to(move, ROLLOUT_PAUSED);
        move_decide(move, DECISION_PAUSE, "step %u of %u is a pause that waits for `sluice promote`: %s",
                    step + 1, plan->step_count, why);
    } else if (plan->hooked) {
        to(move, ROLLOUT_HOOK);
        machine->asked = (uint16_t)plan->steps[step].weight;
        move_act(move, ACT_ASK_HOOK);
        move_decide(move, DECISION_STEP, "hooks.before_step is asked for step %u of %u: %s", step + 1,
                    plan->step_count, why);
    } else {
        move_go_live(move, why);
    }
}

void move_complete(struct move *move, const char *why) {
    to(move, ROLLOUT_PROMOTED);
    move->machine->hold = HOLD_NONE;
    move->machine->warm = move->plan->keep_warm_ms > 0;
    move_act(move, ACT_STOP_ASKING);
    if (move->plan->strategy == ROLLOUT_ROLLING)
        move_act(move, ACT_TELL_PROMOTE);
    move_decide(move, DECISION_COMPLETE, "complete: %s", why);
}

// An A/B test that the baseline has won.
static void withdraw(struct move *move, const char *why) {
    struct machine *machine = move->machine;
    machine->left = machine->state;
    machine->hold = HOLD_NONE;
    machine->warm = move->plan->keep_warm_ms > 0;
    give_all(move, move->plan->baseline);
    to(move, ROLLOUT_ROLLED_BACK);
    move_act(move, ACT_TELL_ROLLBACK | ACT_STOP_ASKING);
    move_decide(move, DECISION_ROLLBACK, "100 %% for the baseline, which won: %s", why);
}

void move_promote(struct move *move, const char *why) {
    struct machine *machine = move->machine;
    if (winner(move) == move->plan->baseline) {
        withdraw(move, why);
        return;
    }
    to(move, ROLLOUT_WATCH);
    machine->hold = HOLD_NONE;
    give_all(move, winner(move));
    move_act(move, ACT_STEP_BEGINS | ACT_TELL_PROMOTE | ACT_STOP_ASKING);
    if (move->plan->watch_ms == 0) {
        to(move, ROLLOUT_PROMOTED);
        machine->warm = move->plan->keep_warm_ms > 0;
    }
    move_decide(move, DECISION_PROMOTE, "100 %% for the candidate: %s", why);
}

unsigned move_next(const struct move *move) {
    const struct machine *machine = move->machine;
    return machine->step +
           (weighs(move->plan) ? move->plan->steps[machine->step].weight <= machine->reached : 1);
}

bool move_next_is_whole(const struct move *move) {
    unsigned next = move_next(move);
    while (next < move->plan->step_count && move->plan->steps[next].weight < 0)
        next++;
    return next >= move->plan->step_count || move->plan->steps[next].weight == SHARE_WHOLE;
}

// ---- back

// The candidate has nothing; variants that are not on trial have what the file gives them.
void move_take_all(struct move *move) {
    if (weighs(move->plan))
        move_give(move, 0);
    else
        give_all(move, move->plan->baseline);
}

// To where it was taken back from, with fresh evidence. What had not been passed there is not passed now.
void move_switch_back(struct move *move) {
    struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    const char *why = move_because(move);
    bool over = machine->left == ROLLOUT_WATCH || machine->left == ROLLOUT_PROMOTED ||
                (machine->left == ROLLOUT_STOPPED && machine->winner >= 0);
    machine->warm = false;
    move_act(move, ACT_FRESH_EVIDENCE);
    if (over) {
        move_promote(move, why);
        return;
    }
    to(move, machine->left);
    move_stand(move);
    move_step_weights(move);
    move_ask_again(move);
    if (machine->state == ROLLOUT_STEP)
        move_act(move, ACT_STEP_BEGINS);
    move_decide(move, DECISION_PROMOTE, "back to where it was (%s), %g %% for the candidate: %s",
                rollout_state_name(machine->state), machine->weights[plan->candidate] / 100.0, why);
}

void move_roll_back(struct move *move, const char *why) {
    struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    // Of an A/B test every variant but the baseline is a candidate.
    uint16_t from = weighs(plan) ? machine->weights[plan->candidate]
                                 : (uint16_t)(SHARE_WHOLE - machine->weights[plan->baseline]);
    bool cold = machine->state == ROLLOUT_PROMOTED && !machine->warm;
    if (machine->state != ROLLOUT_ROLLING_BACK && machine->state != ROLLOUT_ROLLED_BACK)
        machine->left = machine->state;
    machine->hold = HOLD_NONE;
    move_act(move, ACT_STOP_ASKING);
    bool by_person = move->event->kind == EVENT_ROLLBACK;
    if (plan->rollback_over_ms > 0 && from > 0 && !by_person && weighs(plan)) {
        machine->from_weight = from;
        to(move, ROLLOUT_ROLLING_BACK);
        move_decide(move, DECISION_ROLLBACK, "back from %g %% to 0 %% over %.3g s: %s", from / 100.0,
                    (double)plan->rollback_over_ms / 1000, why);
    } else {
        move_take_all(move);
        to(move, ROLLOUT_ROLLED_BACK);
        move_decide(move, DECISION_ROLLBACK, "back from %g %% to 0 %% at once%s: %s", from / 100.0,
                    cold ? " (keep_warm had passed, the baseline may be cold)" : "", why);
    }
    machine->warm = plan->keep_warm_ms > 0;
    move_act(move, ACT_TELL_ROLLBACK);
}

void move_hold(struct move *move, enum rollout_hold hold, const char *why) {
    if (move->machine->hold == hold)
        return;
    move->machine->hold = hold;
    move_decide(move, DECISION_HOLD, "held (%s): %s", rollout_hold_name(hold), why);
}

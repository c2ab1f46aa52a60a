// What time and evidence do: the only place where the controller moves by itself.
#include "machine_inside.h"

#include <stdio.h>
#include <string.h>

#define TROUBLE_MS 30000 // how long data may be missing before somebody is told
#define ASK_MS     30000 // until a hook that did not pass is asked again

static void roll_back_further(struct move *move) {
    struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    int64_t over = plan->rollback_over_ms, left = over - machine->state_ms;
    int64_t weight = left <= 0 || over <= 0 ? 0 : machine->from_weight * left / over;
    uint16_t *mine = &machine->weights[plan->candidate], *baseline = &machine->weights[plan->baseline];
    if (weight < *mine) {
        *baseline = (uint16_t)(*baseline + *mine - weight);
        *mine = (uint16_t)weight;
        move_act(move, ACT_WEIGHTS);
    }
    if (weight > 0)
        return;
    move_take_all(move);
    machine->state = ROLLOUT_ROLLED_BACK;
    machine->state_ms = 0;
    move_decide(move, DECISION_ROLLBACK, "the candidate has no traffic any more");
}

static void cool(struct move *move) {
    struct machine *machine = move->machine;
    if (!machine->warm || machine->state_ms < move->plan->keep_warm_ms)
        return;
    machine->warm = false;
    move_act(move, ACT_COOL);
    move_decide(move, DECISION_COOL, "keep_warm has passed");
}

// What keeps it from stepping on, of what may pass by itself.
static enum rollout_hold trouble_now(const struct judgement *judgement) {
    if (judgement->guards == VERDICT_NO_DATA)
        return HOLD_NO_DATA;
    if (judgement->guards == VERDICT_ERROR)
        return HOLD_ERROR;
    return judgement->signals == VERDICT_FAIL ? HOLD_SIGNAL : HOLD_NONE;
}

bool hold_is_trouble(enum rollout_hold hold) {
    return hold == HOLD_NO_DATA || hold == HOLD_ERROR || hold == HOLD_SIGNAL;
}

// True while something is amiss. It is told once it has lasted, and when it has gone.
static bool troubled(struct move *move) {
    struct machine *machine = move->machine;
    const struct judgement *judgement = move->event->judgement;
    enum rollout_hold trouble = trouble_now(judgement);
    if (trouble != machine->trouble) {
        machine->trouble = trouble;
        machine->trouble_ms = 0;
    }
    machine->trouble_ms += move->event->elapsed_ms;
    if (trouble == HOLD_NONE) {
        if (!hold_is_trouble(machine->hold))
            return false;
        machine->hold = HOLD_NONE;
        move_ask_again(move);
        move_decide(move, DECISION_RELEASE, "goes on: %s", judgement->because);
        return false;
    }
    bool at_once = trouble == HOLD_SIGNAL;
    if ((machine->hold == HOLD_NONE || hold_is_trouble(machine->hold)) &&
        (at_once || machine->trouble_ms >= TROUBLE_MS))
        move_hold(move, trouble, judgement->because);
    return true;
}

// True while the fleet holds it, and at the tick that lets it go. What a person or a gate has to end stays
// what holds.
static bool apart(struct move *move) {
    struct machine *machine = move->machine;
    const struct judgement *judgement = move->event->judgement;
    const char *differs = move_apart(move);
    if (differs) {
        if (machine->hold == HOLD_NONE || machine->hold == HOLD_HOOK || machine->hold == HOLD_INCONCLUSIVE ||
            hold_is_trouble(machine->hold))
            move_hold(move, HOLD_FLEET, differs);
        return true;
    }
    if (machine->hold != HOLD_FLEET)
        return false;
    if (machine->state == ROLLOUT_HOOK && judgement->signals == VERDICT_FAIL) { // it may go live by this
        move_hold(move, HOLD_SIGNAL, judgement->because);
        return true;
    }
    move_let_go(move);
    move_decide(move, DECISION_RELEASE, "goes on: the members of the fleet agree and are heard again");
    return true;
}

static void inconclusive(struct move *move, enum verdict verdict) {
    const struct rollout_plan *plan = move->plan;
    const char *because = move->event->judgement->because;
    bool blind = verdict == VERDICT_NO_DATA || verdict == VERDICT_ERROR;
    if (plan->inconclusive == INCONCLUSIVE_ROLLBACK)
        move_roll_back(move, because);
    else if (plan->inconclusive == INCONCLUSIVE_PROMOTE && !blind &&
             move->event->judgement->signals != VERDICT_FAIL)
        move_enter(move, move_next(move), because);
    else
        move_hold(move, HOLD_INCONCLUSIVE, because);
}

static void judge_step(struct move *move) {
    struct machine *machine = move->machine;
    const struct rollout_step_plan *step = &move->plan->steps[machine->step];
    const struct judgement *judgement = move->event->judgement;
    enum verdict verdict = move_next_is_whole(move) ? judgement->guards : judgement->step;
    bool held =
        machine->hold != HOLD_NONE && machine->hold != HOLD_INCONCLUSIVE && !hold_is_trouble(machine->hold);
    bool trouble = troubled(move);
    bool long_enough =
        machine->state_ms >= step->duration_ms && judgement->step_requests >= step->min_requests;
    if (held)
        return;
    if (!trouble && verdict == VERDICT_PASS && long_enough) {
        char why[360];
        snprintf(why, sizeof why, "%s%s",
                 judgement->guards == VERDICT_PASS ? "" : "good enough for a step: ", judgement->because);
        move_enter(move, move_next(move), why);
    } else if (move->plan->step_timeout_ms > 0 && machine->hold != HOLD_INCONCLUSIVE &&
               machine->state_ms >= move->plan->step_timeout_ms + step->duration_ms)
        inconclusive(move, verdict);
}

static void stop_test(struct machine *machine) {
    machine->state = ROLLOUT_STOPPED;
    machine->state_ms = 0;
    machine->hold = HOLD_NONE;
}

static void judge_test(struct move *move) { // ab
    struct machine *machine = move->machine;
    const struct judgement *judgement = move->event->judgement;
    bool trouble = troubled(move);
    if (machine->hold == HOLD_PERSON)
        return;
    if (!trouble && judgement->winner >= 0) {
        machine->winner = judgement->winner;
        if (move->plan->on_winner == ON_WINNER_PROMOTE)
            move_promote(move, judgement->because);
        else
            stop_test(machine);
        move_decide(move, DECISION_WINNER, "%s", judgement->because);
    } else if (move->plan->max_duration_ms > 0 && machine->total_ms >= move->plan->max_duration_ms) {
        stop_test(machine);
        move_decide(move, DECISION_STOP, "max_duration has passed without a winner: %s", judgement->because);
    }
}

static void judge_watch(struct move *move) {
    bool trouble = troubled(move);
    if (trouble || move->machine->hold != HOLD_NONE || move->machine->state_ms < move->plan->watch_ms)
        return;
    move_complete(move, move->event->judgement->because);
}

static void ask_hook_again(struct move *move) {
    if (move->machine->hold != HOLD_HOOK || move->machine->state_ms < ASK_MS)
        return;
    move->machine->state_ms = 0;
    move_act(move, ACT_ASK_HOOK);
}

static void judge(struct move *move) {
    struct machine *machine = move->machine;
    const struct judgement *judgement = move->event->judgement;
    if (machine->hold == HOLD_BY_HAND || machine->hold == HOLD_SAMPLE_RATIO)
        return;
    if (judgement->sample_ratio_broken) {
        move_hold(move, HOLD_SAMPLE_RATIO, judgement->because);
        return;
    }
    if (judgement->guards == VERDICT_FAIL) {
        move_roll_back(move, judgement->because);
        return;
    }
    if (machine->hold == HOLD_JOURNAL || apart(move))
        return;
    if (machine->state == ROLLOUT_WATCH)
        judge_watch(move);
    else if (machine->state == ROLLOUT_HOOK) {
        if (!troubled(move))
            ask_hook_again(move);
    } else if (machine->state == ROLLOUT_STEP && move->plan->strategy == ROLLOUT_AB)
        judge_test(move);
    else if (machine->state == ROLLOUT_STEP)
        judge_step(move);
}

void move_tick(struct move *move) {
    struct machine *machine = move->machine;
    if (machine->hold != HOLD_FLEET)
        machine->state_ms += move->event->elapsed_ms;
    if (rollout_state_running(machine->state))
        machine->total_ms += move->event->elapsed_ms;
    if (machine->state == ROLLOUT_ROLLING_BACK)
        roll_back_further(move);
    else if (machine->state == ROLLOUT_HOOK && move->plan->strategy == ROLLOUT_ROLLING)
        ask_hook_again(move);
    else if (rollout_state_judged(machine->state) && move->plan->strategy != ROLLOUT_ROLLING)
        judge(move);
    else if (machine->state != ROLLOUT_GATES || !apart(move))
        cool(move);
}

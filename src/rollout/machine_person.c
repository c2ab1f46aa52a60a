// What a person's commands do. They always win; what cannot be taken now is refused with the reason.
#include "machine_inside.h"

#include <string.h>

static void pass_hold(struct move *move) {
    move->machine->hold = HOLD_NONE;
    move->machine->skipped_by_person = true;
    move_act(move, ACT_STOP_ASKING);
}

static void switch_back(struct move *move) {
    if (!move->machine->warm) {
        move_refuse(
            move,
            "it was rolled back and keep_warm has passed; `sluice retry` begins again from the first step");
        return;
    }
    move_act(move, ACT_FRESH_EVIDENCE);
    if (move->plan->strategy == ROLLOUT_CANARY) {
        move_go_live(move, move_because(move));
        move->outcome->action = DECISION_PROMOTE;
    } else {
        move_promote(move, move_because(move));
    }
}

void move_by_promote(struct move *move) {
    struct machine *machine = move->machine;
    const char *why = move_because(move);
    switch (machine->state) {
    case ROLLOUT_IDLE:
        move_start(move);
        break;
    case ROLLOUT_GATES:
        pass_hold(move);
        move_enter(move, 0, why);
        break;
    case ROLLOUT_HOOK:
        pass_hold(move);
        move_go_live(move, why);
        break;
    case ROLLOUT_STEP:
        if (move->plan->strategy == ROLLOUT_AB)
            move_refuse(move, "an A/B test has no steps; --full gives the candidate everything");
        else if (move->plan->strategy == ROLLOUT_ROLLING)
            move_refuse(move, "a batch is being updated; it goes on by itself");
        else {
            pass_hold(move);
            move_enter(move, machine->step + 1, why);
        }
        break;
    case ROLLOUT_PAUSED: // rolling: the batch that comes next
        pass_hold(move);
        move_enter(move, machine->step + (move->plan->strategy != ROLLOUT_ROLLING), why);
        break;
    case ROLLOUT_WATCH:
        move_complete(move, why);
        break;
    case ROLLOUT_ROLLED_BACK:
        switch_back(move);
        break;
    case ROLLOUT_STOPPED:
        if (machine->winner >= 0)
            move_promote(move, why);
        else
            move_refuse(move, "it stopped; `sluice retry` begins again");
        break;
    case ROLLOUT_PROMOTED:
        move_refuse(move, "it is promoted already");
        break;
    default:
        move_refuse(move, "it is being rolled back");
        break;
    }
}

void move_by_promote_full(struct move *move) {
    struct machine *machine = move->machine;
    if (move->plan->strategy == ROLLOUT_ROLLING)
        move_refuse(move, "a rolling update has no weights");
    else if (machine->state == ROLLOUT_PROMOTED || machine->state == ROLLOUT_WATCH)
        move_refuse(move, "the candidate has everything already");
    else if (machine->state == ROLLOUT_ROLLED_BACK && !machine->warm)
        switch_back(move);
    else {
        if (move->event->version)
            strncpy(machine->version, move->event->version, sizeof machine->version - 1);
        if (!rollout_state_judged(machine->state)) // something that failed must not be judged by what it was
            move_act(move, ACT_FRESH_EVIDENCE);
        pass_hold(move);
        move_promote(move, move_because(move));
    }
}

void move_by_pause(struct move *move) {
    if (!rollout_state_running(move->machine->state) || move->machine->state == ROLLOUT_ROLLING_BACK)
        move_refuse(move, "no rollout is under way");
    else if (move->machine->hold == HOLD_PERSON || move->machine->hold == HOLD_BY_HAND)
        move_refuse(move, "it is paused already");
    else {
        move->machine->hold = HOLD_PERSON;
        move_decide(move, DECISION_PAUSE, "paused: %s", move_because(move));
    }
}

void move_by_resume(struct move *move) {
    struct machine *machine = move->machine;
    enum rollout_hold hold = machine->hold;
    if (hold == HOLD_NONE) {
        move_refuse(move, "it is not paused");
        return;
    }
    move_ask_again(move);
    if (hold == HOLD_SAMPLE_RATIO)
        move_act(move, ACT_FRESH_EVIDENCE);
    if (hold == HOLD_INCONCLUSIVE)
        machine->state_ms = 0;
    machine->hold = HOLD_NONE;
    if (hold == HOLD_BY_HAND)
        move_step_weights(move);
    if (machine->state == ROLLOUT_PAUSED && move->plan->strategy == ROLLOUT_ROLLING)
        move_enter(move, machine->step, move_because(move));
    move_decide(move, DECISION_RESUME, "resumed: %s", move_because(move));
}

void move_by_rollback(struct move *move) {
    struct machine *machine = move->machine;
    if (machine->state == ROLLOUT_ROLLED_BACK) {
        move_refuse(move, "it is rolled back already");
    } else if (move->plan->strategy == ROLLOUT_ROLLING) {
        if (!rollout_state_running(machine->state)) {
            move_refuse(move,
                        "no update is under way, and one that is complete is taken back by another update");
            return;
        }
        machine->state = ROLLOUT_STOPPED;
        machine->state_ms = 0;
        machine->hold = HOLD_NONE;
        move_act(move, ACT_STOP_ASKING);
        move_decide(move, DECISION_STOP, "stopped after batch %u: %s", machine->step, move_because(move));
    } else {
        move_roll_back(move, move_because(move));
    }
}

void move_by_retry(struct move *move) {
    enum rollout_state state = move->machine->state;
    bool gate = state == ROLLOUT_GATES && move->machine->hold == HOLD_GATE;
    if (state == ROLLOUT_ROLLED_BACK || state == ROLLOUT_STOPPED || gate)
        move_start(move);
    else if (state == ROLLOUT_IDLE)
        move_refuse(move, "nothing was tried yet; `sluice promote` begins");
    else
        move_refuse(move, state == ROLLOUT_PROMOTED ? "it is promoted" : "it is under way");
}

void move_by_weights(struct move *move) {
    struct machine *machine = move->machine;
    if (move->plan->strategy == ROLLOUT_ROLLING && rollout_state_running(machine->state)) {
        move_refuse(move, "a rolling update is under way");
        return;
    }
    memcpy(machine->weights, move->event->weights, move->plan->variant_count * sizeof *machine->weights);
    move_act(move, ACT_WEIGHTS);
    if (machine->state == ROLLOUT_ROLLING_BACK) { // it stays where the person put it
        machine->state = ROLLOUT_ROLLED_BACK;
        machine->state_ms = 0;
    }
    if (rollout_state_running(machine->state))
        machine->hold = HOLD_BY_HAND;
    move_decide(move, DECISION_WEIGHTS, "weights by hand: %s", move_because(move));
}

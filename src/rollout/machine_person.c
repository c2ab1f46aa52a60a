// What a person's commands do. They always win; what cannot be taken now is refused with the reason.
#include "machine_inside.h"

#include <stdio.h>
#include <string.h>

// This version counts as tried: it does not start by itself.
static void try_version(struct move *move) {
    if (move->event->version)
        snprintf(move->machine->version, sizeof move->machine->version, "%s", move->event->version);
}

static void pass_hold(struct move *move) {
    move->machine->hold = HOLD_NONE;
    move->machine->skipped_by_person = true;
    move_act(move, ACT_STOP_ASKING);
}

static void switch_back(struct move *move) {
    if (move->machine->left == ROLLOUT_IDLE) // it was taken back before anything was tried
        move_start(move);
    else if (move->machine->warm)
        move_switch_back(move);
    else
        move_refuse(
            move,
            "it was rolled back and keep_warm has passed; `sluice retry` begins again from the first step");
}

// What there is for good: not a part that a person set by hand.
static bool has_everything(const struct move *move) {
    const struct machine *machine = move->machine;
    size_t variant = machine->winner >= 0 ? (size_t)machine->winner : move->plan->candidate;
    return machine->weights[variant] == SHARE_WHOLE;
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
            move_enter(move, move_next(move), why);
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
        move_refuse(move, has_everything(move) ? "it is promoted already"
                                               : "it is promoted; --full gives it everything again");
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
    else if ((machine->state == ROLLOUT_PROMOTED || machine->state == ROLLOUT_WATCH) && has_everything(move))
        move_refuse(move, "the candidate has everything already");
    else if (machine->state == ROLLOUT_ROLLED_BACK && !machine->warm && machine->left != ROLLOUT_IDLE)
        switch_back(move);
    else {
        try_version(move);
        if (machine->winner == (int)move->plan->baseline)
            machine->winner = -1;                  // whatever has won: the candidate
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

static const char *cannot_resume(enum rollout_hold hold) {
    switch (hold) {
    case HOLD_NONE:
        return "it is not paused";
    case HOLD_NO_DATA:
    case HOLD_ERROR:
        return "it goes on by itself when its guards have figures; `sluice promote` does not wait for them";
    case HOLD_SIGNAL:
        return "a signal shows harm, and it goes on by itself when it does not; `sluice promote` passes it";
    case HOLD_JOURNAL:
        return "it goes on by itself when its state can be written to state_dir again";
    case HOLD_FLEET:
        return "it goes on by itself when all members of the fleet have the same rollout in their files; "
               "`sluice promote` does not wait for them";
    default:
        return NULL;
    }
}

// Time under other weights, or in which nothing could be concluded, is none of the step's; and a step that
// was paused for long has its whole step_timeout again.
static void begin_step_again(struct move *move, enum rollout_hold hold) {
    struct machine *machine = move->machine;
    if (machine->state != ROLLOUT_STEP || move->plan->strategy == ROLLOUT_ROLLING)
        return;
    int64_t duration_ms = move->plan->steps[machine->step].duration_ms;
    if (hold == HOLD_BY_HAND || hold == HOLD_SAMPLE_RATIO || hold == HOLD_INCONCLUSIVE)
        machine->state_ms = 0;
    if (hold == HOLD_BY_HAND || hold == HOLD_SAMPLE_RATIO)
        move_act(move, ACT_STEP_BEGINS);
    if (machine->state_ms > duration_ms)
        machine->state_ms = duration_ms;
}

void move_by_resume(struct move *move) {
    struct machine *machine = move->machine;
    enum rollout_hold hold = machine->hold;
    const char *why_not = cannot_resume(hold);
    if (why_not) {
        move_refuse(move, why_not);
        return;
    }
    if (hold == HOLD_BY_HAND)
        move_step_weights(move);
    if (hold == HOLD_SAMPLE_RATIO)
        move_act(move, ACT_FRESH_EVIDENCE);
    begin_step_again(move, hold);
    move_let_go(move);
    if (machine->state == ROLLOUT_PAUSED && move->plan->strategy == ROLLOUT_ROLLING)
        move_enter(move, machine->step, move_because(move));
    move_decide(move, DECISION_RESUME, "resumed: %s", move_because(move));
}

void move_by_rollback(struct move *move) {
    struct machine *machine = move->machine;
    bool gone = move->plan->strategy == ROLLOUT_AB ? machine->weights[move->plan->baseline] == SHARE_WHOLE
                                                   : machine->weights[move->plan->candidate] == 0;
    if (machine->state == ROLLOUT_ROLLED_BACK && gone) {
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
        if (machine->state == ROLLOUT_IDLE) // … and does not start by itself after that
            try_version(move);
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

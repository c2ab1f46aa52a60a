// What a changed configuration does to a rollout that is under way. It never moves a user by itself: the live
// weights stay, and the new list is entered behind the last of its steps that has no more.
#include "machine_inside.h"

#include <string.h>

static bool is_pause(const struct rollout_plan *plan, int step) {
    return step >= 0 && step < (int)plan->step_count && plan->steps[step].weight < 0;
}

// The step follows the live one, but for pauses that were passed.
static bool follows(const struct rollout_plan *plan, int live, int step) {
    if (step <= live || step >= (int)plan->step_count)
        return false;
    for (int i = live + 1; i < step; i++)
        if (!is_pause(plan, i))
            return false;
    return true;
}

// The step whose weight is live: the one it was if that still has the weight, else the last that has no more;
// -1: it stands before the first.
static int live_step(const struct move *move) {
    const struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    int own = (int)machine->step - (machine->state != ROLLOUT_STEP), found = -1;
    while (is_pause(plan, own))
        own--;
    if (own >= 0 && own < (int)plan->step_count && plan->steps[own].weight == machine->reached)
        return own;
    for (unsigned i = 0; i < plan->step_count; i++)
        if (plan->steps[i].weight >= 0 && plan->steps[i].weight <= machine->reached)
            found = (int)i;
    return found;
}

// Before the step with this index, which is entered unless something holds it: then it is when that goes
// away.
void move_stand_before(struct move *move, int next, const char *why) {
    struct machine *machine = move->machine;
    bool pause = is_pause(move->plan, next);
    bool gone = (machine->hold == HOLD_HOOK && (pause || !move->plan->hooked)) || machine->hold == HOLD_GATE;
    if (machine->hold == HOLD_NONE || machine->hold == HOLD_INCONCLUSIVE || gone) {
        machine->hold = HOLD_NONE;
        move_enter(move, (unsigned)next, why);
        return;
    }
    machine->state = pause ? ROLLOUT_PAUSED : ROLLOUT_HOOK;
    machine->step = (unsigned)next;
    machine->asked = pause ? 0 : (uint16_t)move->plan->steps[next].weight;
}

// A list that begins with more is entered by evidence, as any step (move_next).
static void stand_in_step(struct move *move, int live) {
    if (live < 0 && is_pause(move->plan, 0)) {
        move->machine->state = ROLLOUT_PAUSED;
        move_decide(move, DECISION_PAUSE, "step 1 of %u is a pause now that waits for `sluice promote`",
                    move->plan->step_count);
    }
    move->machine->step = live < 0 ? 0 : (unsigned)live;
}

// What was waited for has gone, and evidence had led to it: its time has passed, its evidence is asked again.
static void judge_on(struct move *move, int live, const char *gone) {
    struct machine *machine = move->machine;
    machine->state = ROLLOUT_STEP;
    machine->step = live < 0 ? 0 : (unsigned)live;
    while (is_pause(move->plan, (int)machine->step)) // passed by whoever passed it
        machine->step++;
    machine->state_ms = move->plan->steps[machine->step].duration_ms;
    if (machine->hold == HOLD_HOOK)
        machine->hold = HOLD_NONE;
    move_decide(move, DECISION_STEP, "step %u of %u is judged on: %s in the configuration", machine->step + 1,
                move->plan->step_count, gone);
}

static void stand_in_pause(struct move *move, int live) {
    struct machine *machine = move->machine;
    if (is_pause(move->plan, (int)machine->step) && follows(move->plan, live, (int)machine->step))
        return;
    if (is_pause(move->plan, live + 1)) {
        machine->step = (unsigned)(live + 1);
    } else if (machine->reached == 0) {
        move_stand_before(move, 0, "the pause has gone from the configuration");
    } else {
        judge_on(move, live, "the pause that it waited for has gone");
    }
}

static void stand_in_hook(struct move *move, int live) {
    struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    int next = (int)machine->step;
    bool kept = follows(plan, live, next) && plan->steps[next].weight == machine->asked;
    if (!kept)
        next = live + 1;
    // Everything needs more evidence than another step.
    bool whole = next >= (int)plan->step_count || plan->steps[next].weight == SHARE_WHOLE;
    if (whole && !kept && machine->reached > 0)
        judge_on(move, live, "what follows it has changed");
    else if (!kept || !plan->hooked) // else it is asked again by whoever adopts
        move_stand_before(move, next, "what it waited for has gone from the configuration");
}

static void stand_in_gates(struct move *move) {
    if (!move->plan->gated)
        move_stand_before(move, 0, "the gates have gone from the configuration");
}

void move_stand(struct move *move) {
    int live =
        move->plan->strategy == ROLLOUT_AB && move->machine->state == ROLLOUT_HOOK ? -1 : live_step(move);
    switch (move->machine->state) {
    case ROLLOUT_GATES:
        stand_in_gates(move);
        break;
    case ROLLOUT_STEP:
        stand_in_step(move, live);
        break;
    case ROLLOUT_PAUSED:
        stand_in_pause(move, live);
        break;
    case ROLLOUT_HOOK:
        stand_in_hook(move, live);
        break;
    default: // nothing of the list is waited for
        if (move->machine->step >= move->plan->step_count)
            move->machine->step = move->plan->step_count - 1;
        break;
    }
}

// Which endpoints are done is known by their place in the list only.
static void stand_rolling(struct move *move) {
    struct machine *machine = move->machine;
    const struct rollout_plan *plan = move->plan;
    bool begun = machine->step > 0 || machine->state == ROLLOUT_STEP;
    if (rollout_state_running(machine->state) && machine->members != plan->members && begun) {
        unsigned done = machine->step;
        machine->state = ROLLOUT_STOPPED;
        machine->state_ms = 0;
        machine->hold = HOLD_NONE;
        move_act(move, ACT_STOP_ASKING);
        move_decide(
            move, DECISION_STOP,
            "the pool's endpoints or `batch` changed after %u batches: `sluice retry` updates all of them",
            done);
    } else if (machine->state == ROLLOUT_GATES) {
        stand_in_gates(move);
    } else if (machine->state == ROLLOUT_HOOK && !plan->hooked) {
        move_stand_before(move, (int)machine->step, "the hook has gone from the configuration");
    }
    machine->members = plan->members;
    if (machine->step >= plan->step_count)
        machine->step = plan->step_count - 1;
}

void machine_adopt(struct machine *machine, const struct rollout_plan *plan, const char *candidate, bool same,
                   struct rollout_outcome *outcome) {
    struct rollout_event event = {.kind = EVENT_VERSION, .version = candidate};
    struct move move = {machine, plan, &event, outcome};
    *outcome = (struct rollout_outcome){.action = DECISION_NONE};
    bool same_version = strcmp(machine->version, candidate ? candidate : "") == 0;
    if (machine->state != ROLLOUT_IDLE && same && same_version) {
        move_act(&move, ACT_WEIGHTS);
        if (plan->strategy == ROLLOUT_ROLLING)
            stand_rolling(&move);
        else
            move_stand(&move);
        return;
    }
    bool was = machine->state != ROLLOUT_IDLE;
    char version_before[ROLLOUT_VERSION_BYTES];
    memcpy(version_before, machine->version, sizeof version_before);
    machine_init(machine, plan);
    memcpy(machine->version, version_before, sizeof version_before);
    move_act(&move, ACT_WEIGHTS | ACT_STOP_ASKING);
    if (!same) { // another question: nothing of it was tried yet
        machine->version[0] = '\0';
        move_act(&move, ACT_FRESH_EVIDENCE);
    }
    if (was)
        move_decide(&move, DECISION_STOP, "%s in the configuration changed: what was under way has ended",
                    same ? "the candidate's version" : "the strategy, the baseline or the candidate");
}

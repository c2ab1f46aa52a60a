// The table: which event is taken in which state, and what follows.
#include "machine_inside.h"

#include "base/mem.h"
#include <stdio.h>
#include <string.h>

#define ON(state) (1u << (state))
#define ANY       ((1u << ROLLOUT_STATES) - 1)
#define UNDER_WAY \
    (ON(ROLLOUT_GATES) | ON(ROLLOUT_HOOK) | ON(ROLLOUT_STEP) | ON(ROLLOUT_PAUSED) | ON(ROLLOUT_WATCH))

// A person's pause holds here too, and so does a signal, missing data or the fleet: gates and hooks are asked
// again when it goes on, so that what counts is of now.
static bool paused(const struct machine *machine) {
    return machine->hold == HOLD_PERSON || machine->hold == HOLD_BY_HAND ||
           machine->hold == HOLD_SAMPLE_RATIO || machine->hold == HOLD_JOURNAL ||
           machine->hold == HOLD_FLEET || hold_is_trouble(machine->hold);
}

static void gates_passed(struct move *move) {
    if (paused(move->machine))
        return;
    move->machine->hold = HOLD_NONE;
    move_enter(move, 0, move_because(move));
}

static void gates_failed(struct move *move) {
    if (!paused(move->machine))
        move->machine->hold = HOLD_GATE;
    move_decide(move, DECISION_GATE, "a gate before the first step failed: %s", move_because(move));
}

static void hook_passed(struct move *move) {
    if (paused(move->machine))
        return;
    move->machine->hold = HOLD_NONE;
    move_go_live(move, "hooks.before_step passed");
}

static void hook_failed(struct move *move) {
    move->machine->state_ms = 0;
    if (move->machine->hold == HOLD_NONE)
        move_hold(move, HOLD_HOOK, move_because(move));
}

static void batch_done(struct move *move) {
    if (move->plan->strategy != ROLLOUT_ROLLING)
        return;
    unsigned next = move->machine->step + 1;
    if (paused(move->machine) && next < move->plan->step_count) { // the next batch waits
        move->machine->state = ROLLOUT_PAUSED;
        move->machine->state_ms = 0;
        move->machine->step = next;
        move_decide(move, DECISION_PAUSE, "%s; batch %u of %u waits", move_because(move), next + 1,
                    move->plan->step_count);
        return;
    }
    move_enter(move, next, move_because(move));
}

static void batch_failed(struct move *move) {
    if (move->plan->strategy != ROLLOUT_ROLLING)
        return;
    move->machine->state = ROLLOUT_STOPPED;
    move->machine->state_ms = 0;
    move->machine->hold = HOLD_NONE;
    move_act(move, ACT_STOP_ASKING | ACT_TELL_ROLLBACK);
    move_decide(move, DECISION_STOP, "batch %u of %u failed, the rest is as it was: %s",
                move->machine->step + 1, move->plan->step_count, move_because(move));
}

static void version(struct move *move) {
    if (!move->plan->start_by_version || strcmp(move->machine->version, move->event->version) == 0)
        return;
    move_start(move);
}

static void journal_failed(struct move *move) {
    if (move->machine->hold == HOLD_NONE)
        move_hold(move, HOLD_JOURNAL, move_because(move));
}

static void journal_works(struct move *move) {
    if (move->machine->hold != HOLD_JOURNAL)
        return;
    move_let_go(move);
    move_decide(move, DECISION_RELEASE, "the journal can be written again");
}

static const struct rule {
    unsigned states;
    enum rollout_event_kind event;
    void (*then)(struct move *move);
} machine_rules[] = {
    {ANY, EVENT_TICK, move_tick},
    {ANY, EVENT_VERSION, version},
    {ON(ROLLOUT_GATES), EVENT_GATES_PASSED, gates_passed},
    {ON(ROLLOUT_GATES), EVENT_GATES_FAILED, gates_failed},
    {ON(ROLLOUT_HOOK), EVENT_HOOK_PASSED, hook_passed},
    {ON(ROLLOUT_HOOK), EVENT_HOOK_FAILED, hook_failed},
    {ON(ROLLOUT_STEP), EVENT_BATCH_DONE, batch_done},
    {ON(ROLLOUT_STEP), EVENT_BATCH_FAILED, batch_failed},
    {UNDER_WAY, EVENT_JOURNAL_FAILED, journal_failed},
    {UNDER_WAY, EVENT_JOURNAL_WORKS, journal_works},
    {ANY, EVENT_PROMOTE, move_by_promote},
    {ANY, EVENT_PROMOTE_FULL, move_by_promote_full},
    {ANY, EVENT_PAUSE, move_by_pause},
    {ANY, EVENT_RESUME, move_by_resume},
    {ANY, EVENT_ROLLBACK, move_by_rollback},
    {ANY, EVENT_RETRY, move_by_retry},
    {ANY, EVENT_WEIGHTS, move_by_weights},
};

// What the fleet holds from its first moment is told with that moment's decision.
static void tell_apart(const struct move *move) {
    struct rollout_outcome *outcome = move->outcome;
    size_t len = strlen(outcome->because);
    if (move->machine->hold == HOLD_FLEET && move_apart(move) && outcome->action != DECISION_NONE &&
        outcome->action != DECISION_HOLD)
        snprintf(outcome->because + len, sizeof outcome->because - len, "; held (%s): %s",
                 rollout_hold_name(HOLD_FLEET), move_apart(move));
}

void machine_init(struct machine *machine, const struct rollout_plan *plan) {
    *machine = (struct machine){.winner = -1};
    memcpy(machine->weights, plan->file_weights, sizeof machine->weights);
}

void machine_step(struct machine *machine, const struct rollout_plan *plan, const struct rollout_event *event,
                  struct rollout_outcome *outcome) {
    struct machine next = *machine;
    struct move move = {&next, plan, event, outcome};
    *outcome = (struct rollout_outcome){.action = DECISION_NONE};
    must(event->kind != EVENT_TICK || event->judgement);
    for (size_t i = 0; i < sizeof machine_rules / sizeof *machine_rules; i++)
        if (machine_rules[i].event == event->kind && machine_rules[i].states & ON(machine->state))
            machine_rules[i].then(&move);
    tell_apart(&move);
    if (!outcome->refused)
        *machine = next;
    else
        *outcome = (struct rollout_outcome){.refused = outcome->refused};
}

bool machine_may_roll_back(const struct machine *machine) {
    return rollout_state_judged(machine->state) && machine->hold != HOLD_BY_HAND &&
           machine->hold != HOLD_SAMPLE_RATIO;
}

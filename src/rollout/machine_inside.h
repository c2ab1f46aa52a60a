// machine_inside: what the machine's files share. One move: the machine as it changes, and what comes of it.
#pragma once
#include "rollout/machine.h"

struct move {
    struct machine *machine;
    const struct rollout_plan *plan;
    const struct rollout_event *event;
    struct rollout_outcome *outcome;
};

// machine_moves.c: what changes the state; each says why.
__attribute__((format(printf, 3, 4))) void move_decide(struct move *move, enum decision_action action,
                                                       const char *format, ...);
void move_act(struct move *move, unsigned acts);
void move_refuse(struct move *move, const char *why);
const char *move_because(const struct move *move); // the event's reason, or a stock one
void move_start(struct move *move);
void move_enter(struct move *move, unsigned step,
                const char *why);                      // the step with this index, or what follows the last
void move_go_live(struct move *move, const char *why); // machine->step, its hook has been passed
void move_promote(struct move *move, const char *why); // to 100 %
void move_complete(struct move *move, const char *why);
void move_roll_back(struct move *move, const char *why);
void move_hold(struct move *move, enum rollout_hold hold, const char *why);
void move_ask_again(struct move *move);           // gates or the hook, where one is waited for
void move_step_weights(struct move *move);        // what the present state and step should have
bool move_next_is_whole(const struct move *move); // what follows this step is 100 %
// machine_tick.c
void move_tick(struct move *move);
// machine_person.c
void move_by_promote(struct move *move);
void move_by_promote_full(struct move *move);
void move_by_pause(struct move *move);
void move_by_resume(struct move *move);
void move_by_rollback(struct move *move);
void move_by_retry(struct move *move);
void move_by_weights(struct move *move);

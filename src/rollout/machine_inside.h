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
void move_take_all(struct move *move);    // everything from the candidate
void move_switch_back(struct move *move); // after a rollback
void move_hold(struct move *move, enum rollout_hold hold, const char *why);
void move_ask_again(struct move *move);          // gates or the hook, where one is waited for
const char *move_apart(const struct move *move); // which member of the fleet differs; NULL: none
void move_let_go(struct move *move);             // a hold has gone: goes on, unless the fleet holds it
bool hold_is_trouble(enum rollout_hold hold);    // what comes and goes by itself with the figures
void move_step_weights(struct move *move);       // what the present state and step should have
// The step that follows: the machine's own when a reload gave it more than what is live.
unsigned move_next(const struct move *move);
bool move_next_is_whole(const struct move *move);  // what follows this step is 100 %
void move_give(struct move *move, int64_t weight); // the candidate's; the baseline has the rest
// machine_adopt.c: before the step with this index, which is entered unless something holds
void move_stand_before(struct move *move, int step, const char *why);
// … and the state by what the present list of steps says
void move_stand(struct move *move);
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

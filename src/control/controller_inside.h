// controller_inside: what a controller consists of, for the files that it is written in.
#pragma once
#include "controller.h"

// controller.c: the decision that is being made, in place of the last one
struct decided { // the one before it
    uint64_t number;
    struct strbuf decision, because;
};
struct decided controller_compose(struct controller *controller, const struct machine *before,
                                  const struct rollout_outcome *outcome, bool by_person);
void controller_keep_composed(struct decided *last);
void controller_undo_composed(struct controller *controller, const struct decided *last);

// controller_tick.c
void controller_watch(const struct controller *controller, struct trial *trial); // who has all the traffic
void controller_look(struct controller *controller, struct trial *trial,
                     struct contest *contest); // at what costs more than a tick should
struct trial_source controller_source(const struct controller *controller);
void controller_judge(struct controller *controller);

// controller_acts.c
void controller_act(struct controller *controller, unsigned acts);
void controller_ask(struct controller *controller, unsigned acts); // … and tell
void controller_set_weights(struct controller *controller);        // live, if they are not
void controller_log_decision(const struct controller *controller, const struct rollout_outcome *outcome,
                             bool by_person);

// rollout_record: what the journal keeps of one route's rollout, as JSON text: the machine whole, the guards'
// evidence, and the last decision, so that a crash between the two writes loses neither. Pure; control
// thread.
#pragma once
#include "base/error.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "rollout/contest.h"
#include "rollout/machine.h"
#include "rollout/trial.h"

struct rollout_record {
    const struct route_config *route;
    struct machine *machine;
    struct trial *trial;
    struct contest *contest;  // NULL: none
    uint64_t decision_number; // of the route's last decision; 0: none yet
    struct strbuf decision;   // its JSON
    struct strbuf because;    // its sentence
    bool alone;               // of a fleet: the candidate was taken back here, while etcd was away
};

void rollout_record_write(const struct rollout_record *record, struct strbuf *out);
// Puts what is kept into record->machine (weights in the configuration's order of variants), record->trial
// (guards whose question is the same; it was made by trial_init) and the decision. *same: strategy, baseline
// and candidate are what they were. False: it is damaged or of another format, *error says what, and nothing
// was changed but what `record` points to must be made anew.
bool rollout_record_read(struct rollout_record *record, struct slice text, bool *same, struct error *error);

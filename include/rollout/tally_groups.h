// tally_groups: how the requests and scores of one instance of a fleet hang together, since an evidence epoch
// began: what design effects are measured on. A unit may be seen by many instances, so that its group is the
// sum of theirs. Cumulative, like the tally; nothing is fed with it, so the judge adds up the latest of every
// instance, also of those that have gone. It travels rarely. Pure; plain data. Owner: the instance's
// controller, or the judge.
#pragma once
#include "rollout/tally.h"

struct tally_groups { // 920 KiB: not for a stack
    uint32_t epoch;
    struct experiment_group arms[EXPERIMENT_ARMS][EXPERIMENT_GROUPS]; // by arm of the experiment
    struct score_groups guards[GUARDS_MOST][2]; // of scores: baseline, candidate of the guard with the index
    struct score_groups goal[TALLY_ARMS];       // … of the contest's arms
};

void tally_groups_reset(struct tally_groups *groups, uint32_t epoch);
void tally_groups_add(struct tally_groups *groups, const struct tally_groups *more); // the epoch stays

// Appended to *out; bytes, not text. Only arms with something in them are written: of a route with two arms,
// errors and latencies about 8 KiB, 20 KiB with costs, and with a score 22 KiB (measured at 100 and 900
// requests a group). At most 39 KiB of an arm and 2.3 KiB of an arm's scores for a guard; 827 KiB if every
// arm and every score there can be is at its most. Sums are written to seven digits.
void tally_groups_write(const struct tally_groups *groups, struct strbuf *out);
// Of bytes that anybody may have written: no group has more failed, slow or values than requests, sums are
// finite and not negative. False: `error` says why not, and *groups is empty.
bool tally_groups_read(struct slice bytes, struct tally_groups *groups, struct error *error);

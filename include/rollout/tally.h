// tally: what one instance of a fleet has counted for a route's rollout since an evidence epoch began: all
// that the one who judges for the fleet needs of its requests. Cumulative, so that an update that is lost,
// comes twice or comes late costs nothing: the judge takes what is new (tally_minus) and keeps what it has
// taken of each instance beside the evidence. Pure; plain data. Owner: the instance's controller, or the
// judge's copy.
//
// The epoch stands for the questions too: guards and arms are told by their index, so whatever changes them
// (or resets the trial) begins another epoch. An instance that restarts counts from nothing and must have
// another name, or what it counts until it has as much as before is not seen.
#pragma once
#include "base/error.h"
#include "base/strbuf.h"
#include "rollout/guard.h"

#define TALLY_ARMS SPLIT_ARMS
#define TALLY_MOST 9007199254740992.0 // 2^53: every count is below it, so that a double holds it
#define TALLY_SUMS 1e100              // no sum is larger

struct tally_guard { // of the guard with the same index in the trial; its kind says what is used
    struct guard_batch all, soon;
    struct experiment_sum baseline, candidate; // values: GUARD_MEAN, GUARD_SCORE
};
struct tally_arm { // of the arm with the same index in the contest's settings
    double requests, events;
    struct experiment_sum values;
};
// Counts are whole and not negative, events at most the requests, sums finite and not negative, and where
// there is no value there is no sum; squares are at least what values of that number and sum have, but for
// rounding (tally_holds).
struct tally {
    uint32_t epoch;
    uint64_t baseline, candidate; // requests that the baseline and the first candidate began
    struct tally_guard guards[GUARDS_MOST];
    struct tally_arm arms[TALLY_ARMS];
};

void tally_reset(struct tally *tally, uint32_t epoch);
bool tally_holds(const struct tally *tally);
void tally_add(struct tally *tally, const struct tally *more); // the epoch stays
// What `latest` has that `taken` has not. False, and no word about *delta: the epochs differ, or something
// became less, or there are more new events than new requests: it is another life of the instance, or a lie.
bool tally_minus(const struct tally *latest, const struct tally *taken, struct tally *delta);

// What was counted of one tick, or of one score.
void tally_arm_add(struct tally_arm *arm, const struct tally_arm *more);
void tally_sum_add(struct experiment_sum *sum, const struct experiment_sum *more);
void tally_score(struct experiment_sum *sum, double score);
bool tally_guard_is_empty(const struct tally_guard *guard);
bool tally_arm_is_empty(const struct tally_arm *arm);

// Appended to *out; bytes, not text. A route with five guards has about 145 bytes after 10^8 requests; at
// most (32 guards, 16 arms, all with fractions) it is 4.4 KiB. What does not hold is written so that it is
// refused.
void tally_write(const struct tally *tally, struct strbuf *out);
// Of bytes that anybody may have written: what is read holds and has no other form. False: `error` says why
// not, and *tally is empty.
bool tally_read(struct slice bytes, struct tally *tally, struct error *error);

// ledger: what the judge of a fleet has taken of each instance's tally for one route. Kept beside the
// evidence (ledger_write), so that whoever judges next goes on where the last one was: nothing counts twice,
// nothing is lost. Pure. Owner: the route's controller.
#pragma once
#include "rollout/tally.h"

struct ledger;
struct ledger *ledger_new(uint32_t epoch);
void ledger_free(struct ledger *ledger);                  // NULL is allowed
void ledger_reset(struct ledger *ledger, uint32_t epoch); // another epoch: nothing was taken yet
uint32_t ledger_epoch(const struct ledger *ledger);

// Adds to *more what the instance's tally has that was not taken, and counts it as taken. False: the tally is
// of another epoch, or says less than before: nothing was taken.
bool ledger_take(struct ledger *ledger, struct slice id, const struct tally *latest, struct tally *more);
// The instance is gone for good (its name never comes again).
void ledger_forget(struct ledger *ledger, struct slice id);
size_t ledger_count(const struct ledger *ledger);
// Calls visit for each instance that something was taken of.
void ledger_each(const struct ledger *ledger, void (*visit)(const char *id, void *context), void *context);

// Bytes, appended. About the size of each instance's tally and its name.
void ledger_write(const struct ledger *ledger, struct strbuf *out);
// In place of what is there. False: `error` says why not, and nothing was changed.
bool ledger_read(struct ledger *ledger, struct slice bytes, struct error *error);

// journal: what a rollout must not forget, on disk: per route its state, and all decisions one after the
// other. Survives kill -9 and a loss of power at any instant: a state is replaced whole or not at all, a
// decision is there whole or not at all. Control thread; writes wait for the disk.
//   state_dir/lock                 held while the daemon runs: two daemons never write to one directory
//   state_dir/rollouts/ROUTE.json  (ROUTE percent-encoded)
//   state_dir/decisions.jsonl      one JSON object per line; past 16 MiB it becomes decisions.1.jsonl
#pragma once
#include "base/error.h"
#include "base/strbuf.h"
#include <stdbool.h>

struct journal;
// Makes what is missing and takes the lock. NULL and *error otherwise. A last line that a crash has torn is
// cut off.
struct journal *journal_open(const char *state_dir, struct error *error);
void journal_close(struct journal *journal); // NULL is allowed

// Another process goes on with it: the lock is let go, and nothing can be written until it is taken back.
void journal_release(struct journal *journal);
bool journal_retake(struct journal *journal, struct error *error); // false: it is somebody else's now

// Appends one line (without its end). False: nothing was written, *error says why.
bool journal_decide(struct journal *journal, struct slice line, struct error *error);
// Replaces the route's state. False: the old one is as it was.
bool journal_save(struct journal *journal, const char *route, struct slice state, struct error *error);

enum journal_found { JOURNAL_FOUND, JOURNAL_NOTHING, JOURNAL_UNREADABLE };
enum journal_found journal_load(struct journal *journal, const char *route, struct strbuf *state,
                                struct error *error);
// The newest `last` lines of which `wanted` says true, oldest first; each is visited without its end.
void journal_read(struct journal *journal, unsigned last, bool (*wanted)(struct slice line, void *context),
                  void (*visit)(struct slice line, void *context), void *context);

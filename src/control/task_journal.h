// task_journal: the tables of long-running tasks (traffic/tasks.h) by route, and the file that they survive
// restarts in: state_dir/tasks.jsonl, one JSON object per line, the newest line about a task counts. Lines
// are appended within milliseconds and not waited for; the file is written anew when most of it is of the
// past. A line that a crash has torn is passed over. Control thread.
#pragma once
#include "metrics/exposition.h"
#include "proxy/plan.h"

struct task_journal;
struct task_journal *task_journal_new(const char *state_dir); // reads nothing yet
void task_journal_free(struct task_journal *journal);         // writes what is new; NULL is allowed

// Gives the routes of a plan that is not published yet their tables.
void task_journal_equip(struct task_journal *journal, struct plan *plan);
// The plan's configuration holds from now on.
void task_journal_adopt(struct task_journal *journal, const struct config *config);
void task_journal_write(struct task_journal *journal); // what is new; nothing while the disk is full
// Every few seconds: after a failure all that is known is tried again, and no oftener.
void task_journal_tick(struct task_journal *journal);

// Another process goes on with the file: what is new from now on is told to it, as lines. Until it is taken
// back (that process has ended, and what it wrote is read).
void task_journal_pass(struct task_journal *journal, void (*tell)(struct slice lines, void *context),
                       void *context);
void task_journal_take_back(struct task_journal *journal);
void task_journal_learn(struct task_journal *journal, struct slice lines); // what was told

void task_journal_metrics(struct task_journal *journal, const struct config *config, struct exposition *out);
uint64_t task_journal_known(struct task_journal *journal, const char *route);

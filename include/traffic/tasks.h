// tasks: where the long-running tasks of one route run: id of a task -> variant and endpoint. Shared by all
// workers and the control thread, under a lock of its own; one per route's name, for as long as the daemon
// runs. Bounded: the task that was not asked for longest goes first. Times are of the wall clock, in
// milliseconds, so that they hold over a restart.
#pragma once
#include "base/strbuf.h"
#include <stdbool.h>
#include <stdint.h>

#define TASK_ID_MOST 256 // bytes; longer ones are no ids

struct tasks;
struct tasks *tasks_new(const char *route);
void tasks_free(struct tasks *tasks);
const char *tasks_route(const struct tasks *tasks);
// Of the configuration that holds from now on; what is too much goes at once.
void tasks_limit(struct tasks *tasks, size_t size, int64_t ttl_ms);

struct task_home { // names that outlive the call; a variant's or endpoint's that is not configured any more
                   // is no mistake
    const char *variant, *endpoint;
};
// A task was begun there, or is there now. True: something is to be written down that was not before
// (tasks_fresh).
bool tasks_learn(struct tasks *tasks, struct slice id, const struct task_home *home, uint64_t now_ms);
// The first of `ids` that is known: its home is copied to `room`, which *home points into. *fresh as above: a
// task that is asked for stays, and that is written down now and then.
struct task_room {
    char variant[128], endpoint[512];
};
bool tasks_find(struct tasks *tasks, const struct slice *ids, size_t count, uint64_t now_ms,
                struct task_room *room, bool *fresh);
// A request about a known task could not go where it runs.
void tasks_note_gone(struct tasks *tasks);

struct tasks_figures {
    uint64_t known, found, gone; // found: requests that went to their task's home
};
void tasks_read(struct tasks *tasks, struct tasks_figures *figures);
// Lines of JSON of what is new since the last call …
void tasks_fresh(struct tasks *tasks, struct strbuf *out);
// … or of all there is, from the one that was not asked for longest.
void tasks_all(struct tasks *tasks, struct strbuf *out);

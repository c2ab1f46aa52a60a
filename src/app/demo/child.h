// child: another process of this same program, whose output goes to a file. It dies with us, whatever happens
// to us. Owner: the embedding object; one thread.
#pragma once
#include "base/error.h"
#include <sys/types.h>

struct child {
    const char *name;
    pid_t pid;  // 0: does not run (any more)
    int status; // of waitpid, once it has ended
};

// argv[0] is the command ("run", "simulate"); NULL ends it. stdout and stderr are appended to `output`.
bool child_start(struct child *child, const char *name, char *const *argv, const char *output,
                 struct error *error);
// True while it runs; notices that it has ended.
bool child_runs(struct child *child);
// Ends all of them: TERM, and KILL for those that are still there after the patience. They are gone on
// return.
void child_stop_all(struct child *const *children, int count, unsigned patience_ms);

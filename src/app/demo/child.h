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
// return. Returns the first that did not end in order (killed, crashed, a sanitizer's exit code), or NULL. An
// exit code of 1 is in order: who presses Ctrl-C signals the children too, and a second signal ends the proxy
// at once.
const struct child *child_stop_all(struct child *const *children, int count, unsigned patience_ms);

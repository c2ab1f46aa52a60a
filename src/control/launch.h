// launch: how this process was started, so that it can be started again: the program's path (not the file
// that was behind it then), its arguments, the configuration's path. Control thread.
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <sys/types.h>

#define LAUNCH_FD       3                    // the new process's end of the channel
#define LAUNCH_VARIABLE "SLUICE_PREDECESSOR" // tells it so

struct launch {
    char *program; // absolute; NULL: it cannot be started again, and `why` says so
    char **arguments;
    char *config_path; // absolute
    const char *why;
};
// At the start, before anything changes the working directory.
void launch_read(struct launch *launch, const char *config_path);
void launch_free(struct launch *launch);

// The absolute path of a program as a shell finds it. `name` is as it was called, `path` is $PATH; NULL: it
// is not there. mem_free.
char *launch_find(const char *name, const char *path, const char *folder);
// The path itself when it is absolute, else below `folder`. mem_free.
char *launch_absolute(const char *path, const char *folder);
// The environment of the new process: what concerned this one alone is taken out. An array to be released
// with launch_environment_free.
char **launch_environment(char *const *environment);
void launch_environment_free(char **environment);

// Starts the program again, with `fd` as its LAUNCH_FD and nothing else but the standard three open. -1 and
// *error otherwise. Whoever asks ends and awaits the process.
pid_t launch_again(const struct launch *launch, int fd, struct error *error);

// confine: what the process gives up for good: new privileges from the first moment, core files and system
// calls that serving does not need once it serves. Control thread.
#pragma once
#include "control/outcome.h"

struct confinement { // what is in force; a reload does not change it
    char *user;      // as configured; NULL: none
    enum seccomp_mode seccomp;
    bool core_dumps;
};
void confine_begin(void); // before any thread is started, whose it then is too
// When everything has been opened and started. False: the kernel cannot.
bool confine_end(struct confinement *confinement, const struct config *config, struct error *error);
void confine_free(struct confinement *confinement);
// A warning for each key of the configuration that waits for a restart.
void confine_warn(const struct confinement *confinement, const struct config *config,
                  struct outcome *outcome);

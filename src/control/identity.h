// identity: whom a daemon that root started becomes (`user`). In this order: what only root can read and open
// is read and opened; from identity_lend on, what is created is the user's, and what the user may not write
// is found out; then identity_assume, for all threads and for good. The first thread of the process; lend and
// assume once.
#pragma once
#include "control/outcome.h"
#include <sys/types.h>

struct identity { // zeroed: whoever it is, it stays that
    bool changes;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    int group_count;
    char *name;
};
// Whom the configuration names. False, with a mistake: nobody has that name.
bool identity_find(struct identity *identity, const struct config *config, struct outcome *outcome);
void identity_free(struct identity *identity);

// Whether this process may become it, and serve then. Mistakes and warnings as in every load.
bool identity_fits(const struct identity *identity, const struct config *config, struct outcome *outcome);
// A warning for every file of the configuration that the user cannot read: the next reload would fail.
void identity_warn(const struct identity *identity, const struct config *config, struct outcome *outcome);

// Makes state_dir and the access log for the user where they are missing; from now on this thread, and those
// that it starts, create and open files as the user. Ports, ids and what is open are still root's.
bool identity_lend(const struct identity *identity, const struct config *config, struct outcome *outcome);
// Every thread becomes the user; the one capability that is left to this thread, and to what it starts or
// executes, is that of binding low ports.
bool identity_assume(const struct identity *identity, struct error *error);

// opened: the sockets of a listening address that a reload has opened and not committed yet. Owner: the
// change; control thread.
#pragma once
#include "front.h"
#include "io/inherited.h"

struct opened {
    const char *configured;  // as the file says it
    struct address bound;    // with the real port
    struct front *front;     // with a reference
    struct socket_file file; // of a unix socket
    mode_t mode;
    int *fds;        // number i is for worker i mod workers: each has one or more
    size_t fd_count; // at least as many as there are workers
    size_t sockets;  // the first so many are different ones, the others are these again
    bool adopted;    // another process has opened it, and may still serve there
    bool lent;       // … and keeps it open
};
// One socket per worker; what was inherited (may be NULL) is taken instead, as many as there are: more than
// workers and some have several, fewer and some share one. Takes the front's reference, also on failure.
// False and *error, which names the address.
bool opened_open(struct opened *opened, const struct listener_config *config, unsigned workers,
                 struct inherited *inherited, struct front *take_front, struct error *error);
void opened_abandon(struct opened *opened); // closes and frees, also after a failure

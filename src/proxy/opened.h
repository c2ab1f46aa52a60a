// opened: the sockets of a listening address that a reload has opened and not committed yet. Owner: the
// change; control thread.
#pragma once
#include "front.h"
#include "io/socket_file.h"

struct opened {
    const char *configured;  // as the file says it
    struct address bound;    // with the real port
    struct front *front;     // with a reference
    struct socket_file file; // of a unix socket
    mode_t mode;
    int *fds; // one per worker
};
// One socket per worker. Takes the front's reference, also on failure. False and *error, which names the
// address.
bool opened_open(struct opened *opened, const char *text, mode_t mode, unsigned workers,
                 struct front *take_front, struct error *error);
void opened_abandon(struct opened *opened, unsigned workers); // closes and frees, also after a failure

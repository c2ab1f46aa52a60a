// handover: the data plane's sockets on their way from one process to the next, and whether its workers are
// alive. Control thread only.
#pragma once
#include "io/inherited.h"
#include "proxy/data_plane.h"

// Where the first data_plane_prepare looks before it opens an address. Not owned; NULL from then on.
void data_plane_inherit(struct data_plane *plane, struct inherited *inherited);

// A listening address, to be passed on: its sockets stay the workers'.
struct lent_listener {
    const char *configured; // as the file says it
    const int *fds;         // each another socket
    size_t count;
    const struct socket_file *file; // of a unix socket; path NULL: there is none that is ours
    bool lent;                      // a service manager keeps it open
};
void data_plane_lend(const struct data_plane *plane, size_t index, struct lent_listener *listener);

// Another process accepts at the addresses of which `taken` says true: they are closed without a look at what
// waits there, and the files of their unix sockets stay. data_plane_drain follows.
void data_plane_leave(struct data_plane *plane, bool (*taken)(const char *configured, void *context),
                      void *context);

// Asks every worker whether it is there. True: each has answered all that it was asked before.
bool data_plane_beat(struct data_plane *plane);

// plane: the data plane's inside, for the files that share it: data_plane.c, home.c, handover.c.
#pragma once
#include "crew.h"
#include "io/inherited.h"

// A listening address that runs.
struct running_listener {
    char *configured;          // as the file says it
    struct address bound;      // with the real port
    unsigned id;               // the workers' name for it
    struct front *front;       // with a reference
    struct front *front_after; // scratch of prepare: the reload's; NULL: it is not kept
    struct socket_file file;   // of a unix socket
    mode_t mode, mode_after;
    bool lent;      // by a service manager, which keeps it open
    int *fds;       // numbers only: the workers own them, and close them when they are told to
    size_t sockets; // the first so many are different ones
};

struct data_plane {
    struct data_plane_events events;
    struct access_log *log;
    bool has_id_key;
    unsigned char id_key[SEAL_KEY]; // workers read it once they have a plan
    struct mailbox mailbox;         // from the workers (home.c)
    atomic_size_t spans_queued;     // bytes of spans that control has not done with
    atomic_ullong spans_dropped;
    struct event *mail_event;
    unsigned worker_count, drained;
    uint64_t *adopted;              // newest plan number by worker
    uint64_t announced, adopted_ns; // adopted_ns: when the last worker so far took its newest
    struct worker **workers;
    struct running_listener *listeners;
    size_t listener_count;
    unsigned last_id;
    struct inherited *inherited;    // of the start; NULL: none any more
    unsigned beats;                 // asked of the workers so far
    struct descriptors descriptors; // as they were at the start
    struct ceiling ceiling;
};

// home.c: mail from the workers.
bool home_open(struct data_plane *plane, struct event_base *base, struct error *error);
void home_close(struct data_plane *plane); // the workers have ended

// handover.c: stops accepting where a service manager keeps the socket: what waits there is for whoever comes
// next.
void handover_leave_lent(struct data_plane *plane);

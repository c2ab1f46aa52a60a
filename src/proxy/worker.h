// worker: one thread with its own event base, listeners, client sessions, upstream connections and metric
// lanes. Everything in it belongs to its thread; the mailbox is the only door.
#pragma once
#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "ceiling.h"
#include "front.h"
#include "io/deadline.h"
#include "io/mailbox.h"
#include "io/seal.h"
#include "io/turns.h"
#include "proxy/data_plane.h"
#include "upstream/connection.h"
#include <pthread.h>
#include <sched.h>

// A plan and how many exchanges of this worker still use it. Counting per worker keeps the plan's own count,
// which all workers share, off the request path.
struct plan_hold {
    struct plan *plan;
    unsigned users; // exchanges, plus one while it is the worker's current plan
};

struct listener { // of one worker
    struct link link;
    struct worker *worker;
    struct event event;
    int fd;
    unsigned id;         // the data plane's name for it
    struct front *front; // with a reference; replaced by reloads
};

// Requests refused before a route was chosen: reasons of http/reject.h first, then these.
enum refusal {
    REFUSED_NO_ROUTE = REJECT_COUNT,
    REFUSED_BODY_TOO_LARGE,
    REFUSED_HEADER_TIMEOUT,
    REFUSED_BODY_TIMEOUT,
    REFUSED_CONNECTIONS,
    REFUSED_REQUESTS,
    REFUSED_MEMORY,
    REFUSED_HANDSHAKES,     // too many at once
    REFUSED_TLS_HANDSHAKE,  // failed, or took too long
    REFUSED_PROXY_PROTOCOL, // its header was malformed, late or from somebody else
    // Behind the decision: bodies that a variant edits, and that cannot be edited.
    REFUSED_BODY_TOO_LARGE_TO_EDIT,
    REFUSED_BODY_CODED,
    REFUSED_BODY_NOT_JSON,
    REFUSED_BODY_TOO_DEEP,
    REFUSED_BODY_NO_PLACE,
    REFUSALS
};
const char *refusal_name(enum refusal refusal);

struct worker {
    unsigned index;
    struct data_plane *plane;
    pthread_t thread;
    struct event_base *base;
    cpu_set_t cores; // that the daemon may use
    bool pinned;     // to one of them
    int64_t busy_ms; // `busy_poll` of the current plan
    struct mailbox mailbox;
    struct event mail_event;
    struct event accept_pause; // timer: descriptors ran out, accepting pauses
    struct deadlines deadlines;
    struct turns turns; // of sessions between requests
    struct buffer_pool buffers;
    struct pipe_pool pipes, wide_pipes; // worker_pipe
    struct connector connector;
    struct random_state random;
    struct seal *seal;      // of request ids; NULL: none yet, or no key
    struct plan_hold *hold; // current; NULL before the first plan
    struct link listeners, sessions, dead_sessions;
    struct link shadows; // copies of requests under way
    size_t shadow_bytes; // of their bodies
    size_t body_bytes;   // kept and edited, of requests under way
    struct ceiling_share share;
    int spare_fd;                    // given up to refuse a client when there is no other; -1: none
    struct exchange *free_exchanges; // reused with their arenas
    unsigned free_exchange_count;
    struct head request_head, response_head; // scratch: valid during one event
    struct strbuf scratch;                   // heads and replies being written
    uint64_t now_ns;                         // at the start of the current event
    char date[CLOCK_HTTP_BYTES];             // for Date fields, of the second that ends at date_end_ns
    uint64_t date_end_ns;
    struct log_lane *log;
    struct span_lane *spans;
    struct log_ration handshake_log, tls_log; // failed TLS handshakes with clients, with endpoints
    struct log_ration preface_log;            // refused PROXY protocol headers
    struct log_ration accept_log;             // clients refused without a descriptor
    struct log_ration refusal_log;            // endpoints that asked for time
    bool draining;
    // read by other threads
    _Alignas(64) uint64_t connections; // open client connections (a gauge with one writer)
    uint64_t requests;                 // under way (also a gauge)
    uint64_t handshakes;               // TLS handshakes with clients that are not done (also a gauge)
    uint64_t refused[REFUSALS];
    uint64_t beats; // answers to "are you there"
};

// What control sends; every message is freed by the worker.
enum worker_message_kind {
    WORKER_PLAN,
    WORKER_WAKE,
    WORKER_MOVE,
    WORKER_BEAT,
    WORKER_LEAVE,
    WORKER_DRAIN,
    WORKER_STOP
};
struct listener_order {
    unsigned id;
    int fd; // of one to open
    struct front *front;
};
struct plan_message {
    struct message message;
    struct plan *plan; // with a reference that moves in
    unsigned open_count, keep_count, close_count;
    struct listener_order *open, *keep; // with references to their fronts, which move in
    unsigned *close;
};
struct wake_message {
    struct message message;
    struct pool *pool; // with a reference
};
struct move_message { // an endpoint has other addresses
    struct message message;
    struct endpoint *endpoint;      // with a reference
    struct address_list *addresses; // with a reference that moves in
};
struct leave_message { // listeners whose sockets another process has too
    struct message message;
    size_t count;
    unsigned ids[];
};

struct access_log;
struct worker *worker_new(struct data_plane *plane, unsigned index, struct access_log *log,
                          struct error *error);
bool worker_start(struct worker *worker, struct error *error);
void worker_join(struct worker *worker); // after WORKER_STOP was posted
void worker_free(struct worker *worker); // the thread has ended, or was never started

// Of the ids that are made here; NULL: there is no key.
struct seal *worker_seal(struct worker *worker);
// For the next of the `left` bytes of a body of `all` that goes upstream or to the client; NULL: they are to
// be copied.
struct pipe *worker_pipe(struct worker *worker, uint64_t left, uint64_t all, bool upstream);
// What it holds for its requests, bytes (ceiling.h).
static inline size_t worker_held(const struct worker *worker) {
    return buffer_pool_bytes(&worker->buffers) + worker->body_bytes + worker->shadow_bytes;
}
// Whether `limits.memory` is reached: nothing that can be refused is to take more.
bool worker_starved(const struct worker *worker);
// Around every event of the worker's thread: looks at the clock; frees what was closed meanwhile.
void worker_enter(struct worker *worker);
void worker_leave(struct worker *worker);

struct plan_hold *worker_hold(struct worker *worker); // the current plan, with one more user
void worker_release(struct worker *worker, struct plan_hold *hold);

// A request has left `endpoint`'s pool: its oldest waiter, here or on another worker, may go on.
void worker_room(struct worker *worker, struct pool *pool);
// `endpoint` has failed too often in a row: control decides what follows.
void worker_report_failing(struct worker *worker, struct endpoint *endpoint);
// The last session of a draining worker may have ended.
void worker_maybe_drained(struct worker *worker);
void worker_pause_accepting(struct worker *worker);

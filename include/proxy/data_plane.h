// data_plane: the workers as the control thread sees them. Control thread only, except where said. Workers
// are threads with their own event base, SO_REUSEPORT listeners, connection pools and metric lanes;
// everything goes to them by mailbox.
#pragma once
#include "base/strbuf.h"
#include "io/seal.h"
#include "proxy/plan.h"
#include <event2/event.h>

struct data_plane;

struct data_plane_events { // called on the control thread
    // A worker saw ejection.consecutive_failures failures in a row.
    void (*endpoint_failing)(struct endpoint *endpoint, void *context);
    // Every worker uses plan `number` (and has opened and closed its listeners), the last one since at_ns
    // (monotonic).
    void (*plan_adopted)(uint64_t number, uint64_t at_ns, void *context);
    // Tables of tasks have something to be written down.
    void (*tasks_learned)(void *context);
    // Spans of recorded requests (docs/tracing.md), `count` of them as JSON with commas between; the text
    // moves to who is told, who says data_plane_spans_done when it is no more.
    void (*spans)(struct strbuf take_spans, unsigned count, void *context);
    // Draining, and the last exchange of the last worker has ended.
    void (*drained)(void *context);
    void *context;
};

// Starts the worker threads (idle, without listeners or a plan). `base` is the control thread's.
struct data_plane *data_plane_start(unsigned workers, struct event_base *base,
                                    const struct data_plane_events *events, struct error *error);

// The key of the request ids that are made here (proxy/issued.h), before the first plan; without one ids are
// random.
void data_plane_set_id_key(struct data_plane *plane, const unsigned char key[SEAL_KEY]);

// Phase one of a reload, with the TLS context of each listener of `config` (NULL: plain): opens what is new
// in `config` (one socket per listener and worker), touching nothing live; sockets of addresses that stay are
// kept. Port 0 is allowed (tests): data_plane_port tells which one it became; a listener "127.0.0.1:0" that
// stays keeps its port. Also opens the access log when its path is new. NULL and *error (names the address)
// on failure.
struct data_plane_change;
struct data_plane_change *data_plane_prepare(struct data_plane *plane, const struct config *config,
                                             struct tls_context *const *contexts, struct error *error);
void data_plane_abandon(struct data_plane_change *change);
// Phase two: cannot fail. Takes the plan's reference and the change. Requests in flight keep the plan they
// started with.
void data_plane_commit(struct data_plane *plane, struct data_plane_change *change, struct plan *take_plan);
// A plan with the same listeners (weights, health, drains). Takes the reference.
void data_plane_publish(struct data_plane *plane, struct plan *take_plan);

// An endpoint is reached at other addresses from now on: every worker connects there, and closes what is idle
// elsewhere.
void data_plane_move(struct data_plane *plane, struct endpoint *endpoint, struct address_list *addresses);

// Stops accepting, answers with Connection: close, closes idle client connections; events.drained follows.
void data_plane_drain(struct data_plane *plane);
void data_plane_stop(struct data_plane *plane); // closes what is left, ends and joins the threads, frees
void data_plane_reopen_log(struct data_plane *plane); // USR1

// Figures for /metrics and status.
uint64_t data_plane_connections(const struct data_plane *plane); // open client connections
void data_plane_spans_done(struct data_plane *plane, size_t bytes);
// Those that are allowed at once: as configured, or what the limit of open files allows.
uint64_t data_plane_connections_limit(const struct data_plane *plane, int64_t configured);
uint64_t data_plane_requests(const struct data_plane *plane); // under way
uint64_t data_plane_memory(const struct data_plane *plane);   // bytes that they hold, about
uint64_t data_plane_spans_dropped(const struct data_plane *plane);
uint64_t data_plane_log_dropped(const struct data_plane *plane);
// Requests refused before a route was chosen, by reason name; calls visit for each reason.
void data_plane_rejected(const struct data_plane *plane,
                         void (*visit)(const char *reason, uint64_t count, void *context), void *context);
size_t data_plane_listener_count(const struct data_plane *plane);
// The bound address as text ("127.0.0.1:8080"), with the real port.
void data_plane_listener_text(const struct data_plane *plane, size_t index, char text[ADDRESS_TEXT]);

// pool: the endpoints of one pool. `struct pool` is the running thing (shared by plans, by name); `struct
// pool_view` is one immutable picture of it inside a plan: the settings of a configuration and the endpoints
// that were ready when it was made.
#pragma once
#include "base/random.h"
#include "config/config.h"
#include "upstream/endpoint.h"

// A request that waits for room. Embedded in the exchange; belongs to one worker's lane.
struct waiter {
    struct link link;
    uint64_t ticket;              // in order of arrival over all lanes
    const struct pool_view *view; // what it waits for
};
struct pool_lane {                    // of one worker
    _Alignas(64) struct link waiters; // oldest first
    uint64_t cursor;                  // round robin
    _Atomic uint64_t oldest;          // ticket of the first waiter, 0: none; read by other workers
};
struct pool {
    struct refcount refs;
    const char *name;            // owned
    struct endpoint **endpoints; // control thread only; replaced as a whole by a directory commit
    size_t endpoint_count;
    _Alignas(64) atomic_uint waiting; // all lanes
    _Atomic uint64_t tickets;         // given out so far
    unsigned lane_count;
    struct pool_lane *lanes;
};
struct pool *pool_ref(struct pool *pool);
void pool_unref(struct pool *pool);
struct endpoint *pool_endpoint(const struct pool *pool, const char *url); // NULL when absent; control thread

struct ring; // consistent hashing over all endpoints (ring.c), unit_hash only
struct pool_view {
    struct refcount refs;
    struct pool *pool;                // with a reference
    const struct pool_config *config; // lives as long as the plan's configuration
    struct endpoint **endpoints;      // all, with references
    size_t endpoint_count;
    struct endpoint **ready; // those that may be chosen
    size_t ready_count;
    uint32_t *schedule; // weighted order over `ready` for round robin; NULL when all weights are equal
    size_t schedule_count;
    uint32_t *cumulative; // weights summed up, for weighted random choice; NULL when all are equal
    struct ring *ring;
};
// `endpoints`: all of the pool (references are taken). Control thread.
struct pool_view *pool_view_new(struct pool *pool, struct endpoint **endpoints, size_t count,
                                const struct pool_config *config);
struct pool_view *pool_view_ref(struct pool_view *view);
void pool_view_unref(struct pool_view *view);

enum choice { CHOICE_MADE, CHOICE_FULL, CHOICE_NONE };
// Chooses an endpoint by the pool's balance and counts the request in (endpoint_enter); `avoid` (may be NULL)
// is taken only when nothing else is there, and so is one that asked for time (back_off.h). CHOICE_FULL: all
// ready ones are at max_inflight. CHOICE_NONE: none is ready. Worker `lane` only.
enum choice pool_choose(const struct pool_view *view, unsigned lane, struct random_state *random,
                        uint64_t unit_hash, const struct endpoint *avoid, struct endpoint **chosen);

// The queue (max_inflight). False when it is full: nothing was queued. After queueing the caller tries
// pool_choose once more: room that came free in between would wake nobody. Worker `lane` only.
bool pool_wait(const struct pool_view *view, unsigned lane, struct waiter *waiter);
void pool_unwait(struct waiter *waiter, unsigned lane); // leaves the queue (served, timed out, client gone)
struct waiter *pool_waiter(struct pool *pool,
                           unsigned lane); // the oldest of this lane, still queued; or NULL
// After a request left: the lane whose first waiter has waited longest, or -1. Its worker is to serve it;
// were each worker to serve its own first, the clients of one without requests in flight would starve. Any
// lane.
int pool_lane_to_serve(const struct pool *pool);

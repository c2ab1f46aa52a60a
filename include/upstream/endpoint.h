// endpoint: one upstream server of a pool, shared by all plans and workers while its pool and URL stay in the
// configuration. Counters are written by workers, the state by the control thread; each group has its own
// cache lines.
#pragma once
#include "base/list.h"
#include "base/refcount.h"
#include "io/address.h"

// Why an endpoint is not given requests; none: it is ready. Control thread writes, readers load relaxed.
enum { ENDPOINT_UNHEALTHY = 1, ENDPOINT_DRAINED = 2, ENDPOINT_EJECTED = 4 };

struct endpoint_lane { // of one worker: its idle connections to this endpoint, newest first
    _Alignas(64) struct link idle;
    unsigned idle_count;
};

struct endpoint {
    struct refcount refs;
    const char *pool, *url; // owned; the names in metrics and commands
    const char *authority;  // owned; "host:port" or "host" for the Host field when a health check asks
    struct address address;
    unsigned weight;
    uint64_t hash;       // of the URL, for unit_hash
    atomic_bool retired; // no longer in the configuration: idle connections are to be closed

    _Alignas(64) atomic_uint inflight; // requests being answered or connected for, all workers
    _Alignas(64) atomic_uint failures; // in a row; workers count and clear
    atomic_uint states;                // ENDPOINT_* bits; control thread

    // control thread only
    bool kept;                             // scratch of directory_commit
    unsigned checks_failed, checks_passed; // in a row
    unsigned ejections;                    // in a row
    uint64_t ejected_until_ns;             // monotonic
    uint64_t last_check_ms;                // wall clock; 0: never
    char last_check[128];                  // why the last check failed, or "ok"

    unsigned lane_count;
    struct endpoint_lane *lanes;
};

struct endpoint *endpoint_new(const char *pool, const char *url, const struct address *address,
                              const char *authority, unsigned weight, unsigned lane_count);
struct endpoint *endpoint_ref(struct endpoint *endpoint);
void endpoint_unref(struct endpoint *endpoint); // any thread
bool endpoint_ready(const struct endpoint *endpoint);
// Counts one request in, unless `most` (0: no limit) are already there.
bool endpoint_enter(struct endpoint *endpoint, unsigned most);
void endpoint_leave(struct endpoint *endpoint);

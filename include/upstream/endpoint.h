// endpoint: one upstream server of a pool, shared by all plans and workers while its pool and URL stay in the
// configuration. Counters are written by workers, the state by the control thread. What every request needs
// stands in one cache line: among a thousand endpoints each of them is a cold one.
#pragma once
#include "base/list.h"
#include "base/refcount.h"
#include "io/address_list.h"
#include "io/tls.h"

// Why an endpoint is not given requests; none: it is ready. Control thread writes, readers load relaxed.
enum {
    ENDPOINT_UNHEALTHY = 1,
    ENDPOINT_DRAINED = 2, // by hand
    ENDPOINT_EJECTED = 4,
    ENDPOINT_UPDATING = 8 // a rolling update has it, or left it half done
};

struct endpoint_lane {             // of one worker, which alone touches it once a plan has the endpoint
    _Alignas(64) struct link idle; // its idle connections to this endpoint, newest first
    unsigned idle_count;
    unsigned turn;                  // which address the next connection begins with
    struct address_list *addresses; // with a reference; replaced by mail from the control thread
    uint64_t failed;                // bit by address: it took no connection of late
    uint64_t failed_until_ns;       // monotonic; then they are tried in turn again
    struct tls_session session;     // of TLS, to resume
};

struct endpoint {
    struct refcount refs;
    const char *pool, *url; // owned; the names in metrics and commands
    const char *authority;  // owned; "host:port" or "host" for the Host field when a health check asks
    const char *host; // owned; the host name that is resolved, NULL for a numeric address or a unix socket
    const char *server_name; // owned; with tls: asked for and verified
    uint64_t hash;           // of the URL, for unit_hash
    unsigned lane_count;

    _Alignas(64) atomic_uint inflight; // requests being answered or connected for, all workers
    unsigned weight;
    struct endpoint_lane *lanes;
    struct tls_context *tls;          // with a reference; NULL: plain
    _Atomic uint64_t spared_until_ns; // it asked for time (back_off.h): monotonic; 0: it did not
    atomic_uint failures;             // in a row; workers count and clear
    atomic_uint refusals;             // times in a row that it was spared
    atomic_uint states;               // ENDPOINT_* bits; control thread
    atomic_bool retired;              // no longer in the configuration: idle connections are to be closed

    // control thread only
    _Alignas(64) bool kept;                // scratch of directory_commit
    unsigned checks_failed, checks_passed; // in a row
    unsigned ejections;                    // in a row
    uint64_t ejected_until_ns;             // monotonic
    struct address_list *addresses;        // the newest known, with a reference
    unsigned checks_made;                  // which address the next check begins with
    uint64_t resolve_failures;             // its name was asked for and no address came
    uint64_t last_check_ms;                // wall clock; 0: never
    char last_check[128];                  // why the last check failed, or "ok"
};

struct endpoint *endpoint_new(const char *pool, const char *url, struct address_list *addresses,
                              const char *authority, unsigned weight, unsigned lane_count);
// Before anybody else knows it: it is spoken to under TLS.
void endpoint_secure(struct endpoint *endpoint, struct tls_context *take_context, const char *server_name);
struct endpoint *endpoint_ref(struct endpoint *endpoint);
void endpoint_unref(struct endpoint *endpoint); // any thread
bool endpoint_ready(const struct endpoint *endpoint);
// Counts one request in, unless `most` (0: no limit) are already there.
bool endpoint_enter(struct endpoint *endpoint, unsigned most);
void endpoint_leave(struct endpoint *endpoint);

// Which address of `addresses` to connect to: in turn, none of `tried` (a bit for each), one that failed of
// late only when there is no other; -1 when all were tried. `addresses` may be older than the lane's.
int endpoint_lane_address(struct endpoint_lane *lane, const struct address_list *addresses, uint64_t tried,
                          uint64_t now_ns);
// That address took no connection.
void endpoint_lane_failed(struct endpoint_lane *lane, const struct address_list *addresses, int address,
                          uint64_t now_ns);

// connection: one socket to an endpoint: being connected, in use by one exchange, or idle in its endpoint's
// lane. Owner: the worker (its connector); worker's thread only.
#pragma once
#include "io/deadline.h"
#include "io/outbox.h"
#include "upstream/endpoint.h"

enum connection_state {
    CONNECTION_CONNECTING,
    CONNECTION_HANDSHAKE, // connected; the TLS handshake is under way
    CONNECTION_BUSY,
    CONNECTION_IDLE,
    CONNECTION_CLOSED,
};

struct connection {
    struct stream stream;
    enum connection_state state;
    bool reused;       // carried a whole exchange before: the peer may have closed it in the meantime
    bool outdated;     // its address left the endpoint's list: not kept when its exchange is over
    uint8_t user_kind; // the user's own note; 0 when it gets the connection
    void *user;        // who has it (CONNECTING, HANDSHAKE, BUSY)
    struct buffer *in; // bytes read and not yet consumed; NULL mostly
    struct outbox outbox;
    struct connector *connector;
    struct endpoint *endpoint;      // with a reference
    struct link idle;               // in the endpoint's lane (IDLE), or among the dead (CLOSED)
    struct deadline deadline;       // of idleness
    struct link every;              // in connector->every
    struct address_list *addresses; // of the endpoint when it was dialled, with a reference
    int address;                    // in addresses: connected to, or being tried
    unsigned hung;                  // how many of them were given up for their silence
    uint64_t tried;                 // bit by address
};

// One per worker.
struct connector {
    unsigned lane;
    struct event_base *base;
    struct deadlines *deadlines;
    const uint64_t *now_ns;
    int64_t tcp_user_ms; // io/liveness.h; of connections made from now on
    int fd_most;         // descriptors from this number on are for others; 0: none are
    struct link every, dead;
    // An event on a connection that is CONNECTING, HANDSHAKE or BUSY; stream_noted was called.
    void (*happened)(struct connection *connection, short what);
    // Around every event, also on idle connections: the worker's bookkeeping.
    void (*enter)(struct connector *connector);
    void (*leave)(struct connector *connector);
};
void connector_init(struct connector *connector);
// Closes the idle connections of endpoints that left the configuration (`all`: of every endpoint).
void connector_drop_idle(struct connector *connector, bool all);
// The endpoint has other addresses from now on (the reference moves in): idle connections to one that is gone
// are closed, those in use when their exchange is over.
void connector_move(struct connector *connector, struct endpoint *endpoint,
                    struct address_list *take_addresses);
void connector_bury(struct connector *connector); // frees closed connections; nobody may hold one any more

// The newest idle connection, BUSY now, or NULL.
struct connection *connection_lease(struct connector *connector, struct endpoint *endpoint, void *user);
// A new one, CONNECTING to the endpoint's next address in turn; NULL with errno when all failed at once. When
// descriptors run out, idle connections are closed first; then errno is EMFILE or ENFILE, which is no fault
// of the endpoint's (io/descriptors.h).
struct connection *connection_dial(struct connector *connector, struct endpoint *endpoint, void *user);
// CONNECTING or HANDSHAKE and an event came: ready (BUSY now), not yet, or out of addresses: errno says why
// the last one failed, the caller closes. CONNECT_TLS_FAILED: stream_tls_failure says why.
enum connect_result { CONNECT_DONE, CONNECT_GOES_ON, CONNECT_FAILED, CONNECT_TLS_FAILED };
enum connect_result connection_established(struct connection *connection);
// CONNECTING, and the address keeps silent: goes on to the next one. False when that was the last that may
// take its time. An attempt waits for each as long as connect time-out / connection_patience.
bool connection_hangs(struct connection *connection);
unsigned connection_patience(const struct connection *connection);
// BUSY -> IDLE, at most `keep` per endpoint and lane; else, or when the endpoint is retired, it is closed.
void connection_return(struct connection *connection, unsigned keep);
void connection_close(struct connection *connection); // idempotent; freed by the next connector_bury

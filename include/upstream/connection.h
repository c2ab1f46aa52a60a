// connection: one socket to an endpoint: being connected, in use by one exchange, or idle in its endpoint's
// lane. Owner: the worker (its connector); worker's thread only.
#pragma once
#include "io/deadline.h"
#include "io/outbox.h"
#include "upstream/endpoint.h"

enum connection_state { CONNECTION_CONNECTING, CONNECTION_BUSY, CONNECTION_IDLE, CONNECTION_CLOSED };

struct connection {
    struct stream stream;
    enum connection_state state;
    bool reused; // carried a whole exchange before: the peer may have closed it in the meantime
    struct connector *connector;
    struct endpoint *endpoint; // with a reference
    struct link idle;          // in the endpoint's lane (IDLE), or among the dead (CLOSED)
    struct link every;         // in connector->every
    struct deadline deadline;  // of idleness
    struct outbox outbox;
    struct buffer *in; // bytes read and not yet consumed; NULL mostly
    void *user;        // the exchange (CONNECTING, BUSY)
};

// One per worker.
struct connector {
    unsigned lane;
    struct event_base *base;
    struct deadlines *deadlines;
    const uint64_t *now_ns;
    struct link every, dead;
    // An event on a connection that is CONNECTING or BUSY; stream_noted was called.
    void (*happened)(struct connection *connection, short what);
    // Around every event, also on idle connections: the worker's bookkeeping.
    void (*enter)(struct connector *connector);
    void (*leave)(struct connector *connector);
};
void connector_init(struct connector *connector);
// Closes the idle connections of endpoints that left the configuration (`all`: of every endpoint).
void connector_drop_idle(struct connector *connector, bool all);
void connector_bury(struct connector *connector); // frees closed connections; nobody may hold one any more

// The newest idle connection, BUSY now, or NULL.
struct connection *connection_lease(struct connector *connector, struct endpoint *endpoint, void *user);
// A new one, CONNECTING; NULL with errno when it failed at once.
struct connection *connection_dial(struct connector *connector, struct endpoint *endpoint, void *user);
// CONNECTING and an event came: true when it is connected (BUSY now); false: errno says why, the caller
// closes.
bool connection_established(struct connection *connection);
// BUSY -> IDLE, at most `keep` per endpoint and lane; else, or when the endpoint is retired, it is closed.
void connection_return(struct connection *connection, unsigned keep);
void connection_close(struct connection *connection); // idempotent; freed by the next connector_bury

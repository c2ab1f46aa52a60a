#include "upstream/connection.h"
#include <errno.h>
#include <netinet/tcp.h>

// Idle connections are closed before common servers do it (nginx 75 s, uvicorn 5 s is shorter: their close is
// noticed by the event, and a request that crosses it is sent again when that is safe).
#define IDLE_MS 60000

void connector_init(struct connector *connector) {
    list_init(&connector->every);
    list_init(&connector->dead);
}

static void close_when_idle(struct connection *connection) {
    // Bytes or an end of stream while nobody asked: the connection is of no further use.
    connection_close(connection);
}

static void happened(int fd, short what, void *context) {
    (void)fd;
    struct connection *connection = context;
    struct connector *connector = connection->connector;
    connector->enter(connector);
    stream_noted(&connection->stream, what);
    if (connection->state == CONNECTION_IDLE) {
        if (connection->stream.readable)
            close_when_idle(connection);
    } else if (connection->state != CONNECTION_CLOSED) {
        connector->happened(connection, what);
    }
    connector->leave(connector);
}

static void idle_expired(struct deadline *deadline) {
    connection_close(list_entry(deadline, struct connection, deadline));
}

struct connection *connection_lease(struct connector *connector, struct endpoint *endpoint, void *user) {
    struct endpoint_lane *lane = &endpoint->lanes[connector->lane];
    if (list_empty(&lane->idle))
        return NULL;
    struct connection *connection = list_entry(lane->idle.next, struct connection, idle);
    list_remove(&connection->idle);
    lane->idle_count--;
    deadline_clear(&connection->deadline);
    connection->state = CONNECTION_BUSY;
    connection->reused = true;
    connection->user = user;
    return connection;
}

struct connection *connection_dial(struct connector *connector, struct endpoint *endpoint, void *user) {
    int fd = socket(endpoint->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return NULL;
    if (endpoint->address.any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *connection = mem_zero(1, sizeof *connection);
    connection->connector = connector;
    connection->endpoint = endpoint_ref(endpoint);
    connection->state = CONNECTION_CONNECTING;
    connection->user = user;
    list_push(&connector->every, &connection->every);
    // Connecting first: the event's first report then is about the connection, not about an unconnected
    // socket.
    if (connect(fd, &endpoint->address.any, endpoint->address.len) != 0 && errno != EINPROGRESS) {
        int code = errno;
        stream_open(&connection->stream, connector->base, fd, happened, connection);
        connection_close(connection);
        errno = code;
        return NULL;
    }
    must(stream_open(&connection->stream, connector->base, fd, happened, connection));
    return connection;
}

bool connection_established(struct connection *connection) {
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
        return false;
    if (code != 0) {
        errno = code;
        return false;
    }
    connection->state = CONNECTION_BUSY;
    return true;
}

void connection_return(struct connection *connection, unsigned keep) {
    struct endpoint *endpoint = connection->endpoint;
    struct endpoint_lane *lane = &endpoint->lanes[connection->connector->lane];
    must(connection->state == CONNECTION_BUSY && outbox_empty(&connection->outbox) && !connection->in);
    if (lane->idle_count >= keep || connection->stream.readable || connection->stream.hangup ||
        atomic_load_explicit(&endpoint->retired, memory_order_relaxed)) {
        connection_close(connection);
        return;
    }
    connection->state = CONNECTION_IDLE;
    connection->user = NULL;
    list_push_front(&lane->idle, &connection->idle);
    lane->idle_count++;
    deadline_set(connection->connector->deadlines, &connection->deadline, IDLE_MS,
                 *connection->connector->now_ns, idle_expired);
}

void connection_close(struct connection *connection) {
    if (connection->state == CONNECTION_CLOSED)
        return;
    if (connection->state == CONNECTION_IDLE) {
        list_remove(&connection->idle);
        connection->endpoint->lanes[connection->connector->lane].idle_count--;
    }
    connection->state = CONNECTION_CLOSED;
    connection->user = NULL;
    deadline_clear(&connection->deadline);
    stream_close(&connection->stream);
    outbox_clear(&connection->outbox);
    buffer_give(connection->in);
    connection->in = NULL;
    list_remove(&connection->every);
    list_push(&connection->connector->dead, &connection->idle);
}

void connector_drop_idle(struct connector *connector, bool all) {
    struct link *next;
    for (struct link *at = connector->every.next; at != &connector->every; at = next) {
        next = at->next;
        struct connection *connection = list_entry(at, struct connection, every);
        if (connection->state == CONNECTION_IDLE &&
            (all || atomic_load_explicit(&connection->endpoint->retired, memory_order_relaxed)))
            connection_close(connection);
    }
}

void connector_bury(struct connector *connector) {
    struct link *at;
    while ((at = list_pop(&connector->dead))) {
        struct connection *connection = list_entry(at, struct connection, idle);
        endpoint_unref(connection->endpoint);
        mem_free(connection);
    }
}

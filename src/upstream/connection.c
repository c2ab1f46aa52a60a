#include "upstream/connection.h"
#include "io/descriptors.h"
#include "io/liveness.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

// Idle connections are closed before common servers do it (nginx 75 s, uvicorn 5 s is shorter: their close is
// noticed by the event, and a request that crosses it is sent again when that is safe).
#define IDLE_MS       60000
#define RECEIVE_BYTES (512 << 10) // the kernel doubles it, for its own book-keeping
// More addresses than these are not waited for: each would get too small a part of the connect time-out.
#define PATIENCE_MOST 4

void connector_init(struct connector *connector) {
    list_init(&connector->every);
    list_init(&connector->dead);
}

// Whether an edge was about nothing that matters: session tickets come under TLS when the endpoint likes.
// Bytes or an end of stream while nobody asked make the connection useless.
static bool still_silent(struct connection *connection) {
    char byte;
    size_t got;
    return !connection->stream.readable ||
           (connection->stream.tls && stream_read(&connection->stream, &byte, 1, &got) == STREAM_BLOCKED);
}

static void happened(int fd, short what, void *context) {
    (void)fd;
    struct connection *connection = context;
    struct connector *connector = connection->connector;
    connector->enter(connector);
    stream_noted(&connection->stream, what);
    if (connection->state == CONNECTION_IDLE) {
        if (!still_silent(connection))
            connection_close(connection);
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

// A socket whose descriptor is the data path's to use; -1 with errno.
static int make_socket(const struct connector *connector, int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !connector->fd_most || fd < connector->fd_most)
        return fd;
    close(fd);
    errno = EMFILE;
    return -1;
}

// What is only kept for later makes room for what is needed now.
static int open_socket(struct connector *connector, int family) {
    int fd = make_socket(connector, family);
    if (fd >= 0 || !descriptors_short(errno))
        return fd;
    connector_drop_idle(connector, true);
    return make_socket(connector, family);
}

static bool connect_to(struct connection *connection, const struct address *address) {
    int fd = open_socket(connection->connector, address->any.sa_family), on = 1;
    int receive = RECEIVE_BYTES;
    if (fd < 0)
        return false;
    if (address->any.sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        liveness_set(fd, connection->connector->tcp_user_ms);
    }
    // The kernel would let it grow to megabytes, which a flooding endpoint fills for a client that reads
    // nothing. Before connecting: the window's scale follows from it.
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    // Connecting first: the event's first report then is about the connection, not about an unconnected
    // socket.
    if (connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS) {
        int code = errno;
        close(fd);
        errno = code;
        return false;
    }
    must(stream_open(&connection->stream, connection->connector->base, fd, happened, connection));
    return true;
}

// Connects to the next address; false when none is left, errno is that of the last one then.
static bool advance(struct connection *connection) {
    struct endpoint_lane *lane = &connection->endpoint->lanes[connection->connector->lane];
    uint64_t now_ns = *connection->connector->now_ns;
    int code = errno;
    stream_close(&connection->stream);
    connection->state = CONNECTION_CONNECTING;
    for (;;) {
        if (connection->address >= 0) // the one before
            endpoint_lane_failed(lane, connection->addresses, connection->address, now_ns);
        connection->address = endpoint_lane_address(lane, connection->addresses, connection->tried, now_ns);
        if (connection->address < 0)
            break;
        connection->tried |= UINT64_C(1) << connection->address;
        if (connect_to(connection, &connection->addresses->items[connection->address]))
            return true;
        code = errno;
        if (descriptors_short(code))
            break;
    }
    errno = code;
    return false;
}

struct connection *connection_dial(struct connector *connector, struct endpoint *endpoint, void *user) {
    struct connection *connection = mem_zero(1, sizeof *connection);
    connection->connector = connector;
    connection->endpoint = endpoint_ref(endpoint);
    connection->addresses = address_list_ref(endpoint->lanes[connector->lane].addresses);
    connection->address = -1;
    connection->stream.fd = -1;
    connection->user = user;
    list_push(&connector->every, &connection->every);
    if (!advance(connection)) {
        int code = errno;
        connection_close(connection);
        errno = code;
        return NULL;
    }
    return connection;
}

static enum connect_result shake(struct connection *connection) {
    switch (stream_handshake(&connection->stream)) {
    case STREAM_DONE:
        connection->state = CONNECTION_BUSY;
        return CONNECT_DONE;
    case STREAM_BLOCKED:
        return CONNECT_GOES_ON;
    default:
        return CONNECT_TLS_FAILED;
    }
}

enum connect_result connection_established(struct connection *connection) {
    int code = 0;
    socklen_t len = sizeof code;
    if (connection->state == CONNECTION_HANDSHAKE)
        return shake(connection);
    if (getsockopt(connection->stream.fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
        code = errno;
    if (code != 0) {
        errno = code;
        return advance(connection) ? CONNECT_GOES_ON : CONNECT_FAILED;
    }
    if (!connection->endpoint->tls) {
        connection->state = CONNECTION_BUSY;
        return CONNECT_DONE;
    }
    stream_secure_client(&connection->stream, connection->endpoint->tls, connection->endpoint->server_name,
                         &connection->endpoint->lanes[connection->connector->lane].session);
    connection->state = CONNECTION_HANDSHAKE;
    return shake(connection);
}

unsigned connection_patience(const struct connection *connection) {
    return connection->addresses->count < PATIENCE_MOST ? connection->addresses->count : PATIENCE_MOST;
}

bool connection_hangs(struct connection *connection) {
    errno = ETIMEDOUT;
    return ++connection->hung < connection_patience(connection) && advance(connection);
}

void connection_return(struct connection *connection, unsigned keep) {
    struct endpoint *endpoint = connection->endpoint;
    struct endpoint_lane *lane = &endpoint->lanes[connection->connector->lane];
    must(connection->state == CONNECTION_BUSY && outbox_empty(&connection->outbox) && !connection->in);
    if (lane->idle_count >= keep || connection->stream.hangup || !still_silent(connection) ||
        connection->outdated || atomic_load_explicit(&endpoint->retired, memory_order_relaxed)) {
        connection_close(connection);
        return;
    }
    connection->state = CONNECTION_IDLE;
    connection->user = NULL;
    connection->user_kind = 0;
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

void connector_move(struct connector *connector, struct endpoint *endpoint,
                    struct address_list *take_addresses) {
    struct endpoint_lane *lane = &endpoint->lanes[connector->lane];
    address_list_unref(lane->addresses);
    lane->addresses = take_addresses;
    lane->failed = 0;
    struct link *next;
    for (struct link *at = connector->every.next; at != &connector->every; at = next) {
        next = at->next;
        struct connection *connection = list_entry(at, struct connection, every);
        if (connection->endpoint != endpoint)
            continue;
        connection->outdated =
            connection->address < 0 ||
            !address_list_has(take_addresses, &connection->addresses->items[connection->address]);
        if (connection->outdated && connection->state == CONNECTION_IDLE)
            connection_close(connection);
    }
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
        address_list_unref(connection->addresses);
        endpoint_unref(connection->endpoint);
        mem_free(connection);
    }
}

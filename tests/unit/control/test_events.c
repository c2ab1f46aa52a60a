#include "../../../src/control/events.h"
#include "base/mem.h"
#include "io/listen.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERVAL_MS 5
#define TURNS_MOST  4000 // of 5 ms

// An admin server whose every call follows the events; clients are plain sockets.
struct hub {
    struct event_base *base;
    struct admin_server *server;
    struct events *events;
    struct address address;
    size_t status_bytes;
    unsigned refused;
};

static void write_status(const void *context, struct strbuf *out) {
    const struct hub *hub = context;
    strbuf_literal(out, "{\"fill\":\"");
    memset(strbuf_reserve(out, hub->status_bytes), 'x', hub->status_bytes);
    out->len += hub->status_bytes;
    strbuf_literal(out, "\"}\n");
}

static void handle(struct call *call, void *context) {
    struct hub *hub = context;
    if (events_join(hub->events, call))
        return;
    hub->refused++;
    call_answer(call, 503, "text/plain");
}

static int start(void **state) {
    static struct hub hub;
    struct error error;
    hub = (struct hub){.base = event_base_new(), .status_bytes = 10};
    hub.events = events_new(hub.base, INTERVAL_MS, write_status, &hub);
    hub.server = admin_server_new(hub.base, handle, &hub);
    assert_true(address_parse(&hub.address, "127.0.0.1:0", &error));
    int fd = listen_open(&hub.address, false, &error);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, &hub.address.any, &hub.address.len), 0);
    admin_server_listen(hub.server, fd);
    *state = &hub;
    return 0;
}

static int stop(void **state) {
    struct hub *hub = *state;
    events_free(hub->events);
    admin_server_free(hub->server);
    event_base_free(hub->base);
    return 0;
}

static void turn(struct hub *hub) {
    static const struct timeval soon = {.tv_usec = 5000};
    event_base_loopexit(hub->base, &soon);
    event_base_dispatch(hub->base);
}

static int follow(struct hub *hub, int receive_bytes) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    assert_int_equal(connect(fd, &hub->address.any, hub->address.len), 0);
    assert_int_equal(write(fd, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    size_t before = events_count(hub->events);
    for (int i = 0; i < TURNS_MOST && events_count(hub->events) == before && !hub->refused; i++)
        turn(hub);
    return fd;
}

// Whether the text has arrived; *ended: the connection was closed in order.
static bool read_until(struct hub *hub, int fd, const char *wanted, bool *ended) {
    static char got[1 << 16];
    size_t len = 0;
    *ended = false;
    for (int i = 0; i < TURNS_MOST && len < sizeof got - 1; i++) {
        ssize_t some = read(fd, got + len, sizeof got - 1 - len);
        if (some == 0) {
            *ended = true;
            return false;
        }
        len += some > 0 ? (size_t)some : 0;
        got[len] = '\0';
        if (strstr(got, wanted))
            return true;
        turn(hub);
    }
    return false;
}

static void statuses_and_decisions_arrive(void **state) {
    struct hub *hub = *state;
    bool ended;
    int fd = follow(hub, 0);
    assert_true(read_until(hub, fd, "event: status\ndata: {\"fill\":\"xxxxxxxxxx\"}\n\n", &ended));
    events_tell(hub->events, "decision", SLICE("{\"number\":7}\n"));
    assert_true(read_until(hub, fd, "event: decision\ndata: {\"number\":7}\n\n", &ended));
    assert_true(read_until(hub, fd, "event: status\n", &ended)); // the next one
    close(fd);
}

static void the_end_is_in_order(void **state) {
    struct hub *hub = *state;
    bool ended;
    int fd = follow(hub, 0);
    events_end(hub->events);
    assert_int_equal(events_count(hub->events), 0);
    assert_true(read_until(hub, fd, "\r\n0\r\n\r\n", &ended)); // the last chunk
    close(fd);
}

static void who_leaves_is_forgotten(void **state) {
    struct hub *hub = *state;
    int fd = follow(hub, 0), other = follow(hub, 0);
    assert_int_equal(events_count(hub->events), 2);
    close(fd);
    for (int i = 0; i < TURNS_MOST && events_count(hub->events) == 2; i++)
        turn(hub);
    assert_int_equal(events_count(hub->events), 1);
    close(other);
}

static void who_does_not_read_is_let_go_and_nobody_else(void **state) {
    struct hub *hub = *state;
    hub->status_bytes = 1000000; // more than the buffers between take
    int slow = follow(hub, 4096), quick = follow(hub, 0);
    static char sink[1 << 16];
    for (int i = 0; i < TURNS_MOST && events_count(hub->events) == 2; i++) {
        while (read(quick, sink, sizeof sink) > 0)
            ;
        turn(hub);
    }
    assert_int_equal(events_count(hub->events), 1);
    ssize_t got; // the one that is left is the one that reads
    for (int i = 0; i < 20; i++) {
        while ((got = read(quick, sink, sizeof sink)) > 0)
            ;
        assert_true(got < 0 && errno == EAGAIN);
        turn(hub);
    }
    close(slow);
    close(quick);
}

static void there_is_a_most(void **state) {
    struct hub *hub = *state;
    int fds[EVENTS_CLIENTS + 1];
    for (int i = 0; i <= EVENTS_CLIENTS; i++)
        fds[i] = follow(hub, 0);
    assert_int_equal(events_count(hub->events), EVENTS_CLIENTS);
    assert_int_equal(hub->refused, 1);
    for (int i = 0; i <= EVENTS_CLIENTS; i++)
        close(fds[i]);
}

int test_events(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(statuses_and_decisions_arrive, start, stop),
        cmocka_unit_test_setup_teardown(the_end_is_in_order, start, stop),
        cmocka_unit_test_setup_teardown(who_leaves_is_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(who_does_not_read_is_let_go_and_nobody_else, start, stop),
        cmocka_unit_test_setup_teardown(there_is_a_most, start, stop),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}

#include "base/clock.h"
#include "io/listen.h"
#include "unit.h"
#include "upstream/connection.h"
#include <unistd.h>

struct fixture {
    struct event_base *base;
    struct deadlines deadlines;
    uint64_t now_ns;
    struct connector connector;
    struct endpoint *endpoint;
    int listener;
    unsigned events;
};
static struct fixture fixture;

static void happened(struct connection *connection, short what) {
    (void)what;
    fixture.events++;
    if (connection->state == CONNECTION_CONNECTING && connection_established(connection) == CONNECT_FAILED)
        connection_close(connection);
}
static void around(struct connector *connector) {
    (void)connector;
}

static int set_up(void **state) {
    (void)state;
    struct address any, real = {.len = sizeof real - offsetof(struct address, any)};
    struct error error;
    memset(&fixture, 0, sizeof fixture);
    fixture.base = event_base_new();
    deadlines_init(&fixture.deadlines, fixture.base);
    assert_true(address_parse(&any, "127.0.0.1:0", &error));
    fixture.listener = listen_open(&any, false, &error);
    assert_int_equal(getsockname(fixture.listener, &real.any, &real.len), 0);
    struct address_list *addresses = address_list_new(&real, 1);
    fixture.endpoint = endpoint_new("blue", "http://x", addresses, "x", 1, 1);
    address_list_unref(addresses);
    fixture.connector = (struct connector){.base = fixture.base,
                                           .deadlines = &fixture.deadlines,
                                           .now_ns = &fixture.now_ns,
                                           .happened = happened,
                                           .enter = around,
                                           .leave = around};
    connector_init(&fixture.connector);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    connector_drop_idle(&fixture.connector, true);
    connector_bury(&fixture.connector);
    endpoint_unref(fixture.endpoint);
    deadlines_free(&fixture.deadlines);
    event_base_free(fixture.base);
    close(fixture.listener);
    return 0;
}

// A connection that is established and in use.
static struct connection *connected(void) {
    struct connection *connection = connection_dial(&fixture.connector, fixture.endpoint, &fixture);
    assert_non_null(connection);
    for (int i = 0; connection->state == CONNECTION_CONNECTING && i < 100; i++)
        event_base_loop(fixture.base, EVLOOP_ONCE);
    assert_int_equal(connection->state, CONNECTION_BUSY);
    connection->stream.readable = false;
    return connection;
}

static void the_newest_idle_one_is_leased_first(void **state) {
    (void)state;
    struct connection *a = connected(), *b = connected();
    connection_return(a, 8);
    connection_return(b, 8);
    assert_ptr_equal(connection_lease(&fixture.connector, fixture.endpoint, &fixture), b);
    assert_true(b->reused);
    assert_ptr_equal(connection_lease(&fixture.connector, fixture.endpoint, &fixture), a);
    assert_null(connection_lease(&fixture.connector, fixture.endpoint, &fixture));
    connection_close(a);
    connection_close(b);
}

static void only_so_many_are_kept(void **state) {
    (void)state;
    struct connection *a = connected(), *b = connected();
    connection_return(a, 1);
    connection_return(b, 1);
    assert_int_equal(a->state, CONNECTION_IDLE);
    assert_int_equal(b->state, CONNECTION_CLOSED);
    assert_int_equal(fixture.endpoint->lanes[0].idle_count, 1);
}

static void a_peer_that_closes_takes_it_out_of_the_pool(void **state) {
    (void)state;
    struct connection *a = connected();
    int peer = accept(fixture.listener, NULL, NULL);
    connection_return(a, 8);
    close(peer);
    for (int i = 0; fixture.endpoint->lanes[0].idle_count && i < 100; i++)
        event_base_loop(fixture.base, EVLOOP_ONCE);
    assert_null(connection_lease(&fixture.connector, fixture.endpoint, &fixture));
}

static void idleness_and_retirement_end_it(void **state) {
    (void)state;
    struct connection *a = connected();
    connection_return(a, 8);
    deadlines_sweep(&fixture.deadlines, fixture.now_ns + 3600 * NS_PER_S);
    assert_int_equal(fixture.endpoint->lanes[0].idle_count, 0);
    a = connected();
    connection_return(a, 8);
    connector_drop_idle(&fixture.connector, false);
    assert_int_equal(a->state, CONNECTION_IDLE);
    atomic_store(&fixture.endpoint->retired, true);
    connector_drop_idle(&fixture.connector, false);
    assert_int_equal(a->state, CONNECTION_CLOSED);
}

static void a_refused_connection_says_so(void **state) {
    (void)state;
    close(fixture.listener);
    struct connection *connection = connection_dial(&fixture.connector, fixture.endpoint, &fixture);
    for (int i = 0; connection && connection->state == CONNECTION_CONNECTING && i < 100; i++)
        event_base_loop(fixture.base, EVLOOP_ONCE);
    assert_true(!connection || connection->state == CONNECTION_CLOSED);
    fixture.listener = dup(0);
}

// The endpoint gets that address before its own.
static void add_refusing_address(void) {
    struct address both[2];
    struct endpoint_lane *lane = &fixture.endpoint->lanes[0];
    both[0] = lane->addresses->items[0];
    assert_true(address_numeric(&both[1], "127.0.0.0", address_port(&both[0])));
    connector_move(&fixture.connector, fixture.endpoint, address_list_new(both, 2));
    lane->turn = 0;
}

static void the_next_address_is_tried_within_one_dial(void **state) {
    (void)state;
    add_refusing_address();
    struct connection *a = connected();
    struct address_list *addresses = fixture.endpoint->lanes[0].addresses;
    assert_true(addresses->count == 2 && a->addresses == addresses);
    assert_int_equal(a->address, 1);
    assert_int_equal(a->tried, 3);
    struct connection *b = connected(); // the first one is passed over now
    assert_int_equal(b->tried, 2);
    connection_close(a);
    connection_close(b);
}

static void only_so_many_silent_addresses_are_waited_for(void **state) {
    (void)state;
    struct connection *one = connected();
    assert_int_equal(connection_patience(one), 1);
    connection_close(one);
    add_refusing_address();
    struct connection *connection = connection_dial(&fixture.connector, fixture.endpoint, &fixture);
    assert_non_null(connection);
    assert_int_equal(connection_patience(connection), 2);
    connection_hangs(connection);
    assert_int_equal(connection->tried, 3);
    assert_false(connection_hangs(connection));
    connection_close(connection);
}

static void connections_to_an_address_that_left_are_not_kept(void **state) {
    (void)state;
    struct address other;
    struct connection *idle = connected(), *busy = connected(), *other_list = connected();
    struct address_list *before = address_list_ref(fixture.endpoint->lanes[0].addresses);
    connection_return(idle, 8);
    connector_move(&fixture.connector, fixture.endpoint, address_list_new(before->items, 1));
    assert_int_equal(idle->state, CONNECTION_IDLE); // the same addresses as before
    assert_true(address_numeric(&other, "127.0.0.9", 1));
    connector_move(&fixture.connector, fixture.endpoint, address_list_new(&other, 1));
    assert_int_equal(idle->state, CONNECTION_CLOSED);
    assert_int_equal(busy->state, CONNECTION_BUSY);
    connection_return(busy, 8);
    assert_int_equal(busy->state, CONNECTION_CLOSED);
    connector_move(&fixture.connector, fixture.endpoint, before); // it came back meanwhile
    connection_return(other_list, 8);
    assert_int_equal(other_list->state, CONNECTION_IDLE);
}

int test_connection(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_idle_one_is_leased_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_so_many_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_peer_that_closes_takes_it_out_of_the_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(idleness_and_retirement_end_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_connection_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_address_is_tried_within_one_dial, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_so_many_silent_addresses_are_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_to_an_address_that_left_are_not_kept, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}

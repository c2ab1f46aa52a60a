#include "io/turns.h"
#include "unit.h"
#include <unistd.h>

#define CLIENTS 200

struct client {
    struct link turn;
    unsigned number;
};

static struct fixture {
    struct event_base *base;
    struct turns turns;
    struct client clients[CLIENTS];
    unsigned order[2 * CLIENTS], served;
    int pipe[2];
    unsigned seen_after; // turns served when the byte in the pipe was seen
    bool again;          // each asks once more while it is served
} at;

static void serve(struct link *turn) {
    struct client *client = list_entry(turn, struct client, turn);
    assert_false(list_linked(turn));
    at.order[at.served++] = client->number;
    if (at.served == 10)
        assert_int_equal(write(at.pipe[1], "x", 1), 1);
    if (at.again && at.served <= CLIENTS)
        turns_ask(&at.turns, turn);
}

static void see(int fd, short what, void *context) {
    (void)what;
    (void)context;
    char byte;
    assert_int_equal(read(fd, &byte, 1), 1);
    at.seen_after = at.served;
}

static int set_up(void **state) {
    (void)state;
    at = (struct fixture){.base = event_base_new()};
    for (unsigned i = 0; i < CLIENTS; i++)
        at.clients[i].number = i;
    turns_init(&at.turns, at.base, serve);
    return pipe(at.pipe);
}

static int tear_down(void **state) {
    (void)state;
    turns_finish(&at.turns);
    close(at.pipe[0]);
    close(at.pipe[1]);
    event_base_free(at.base);
    return 0;
}

static void everybody_asks(void) {
    for (unsigned i = 0; i < CLIENTS; i++)
        turns_ask(&at.turns, &at.clients[i].turn);
}

static void are_taken_in_the_order_in_which_they_were_asked_for(void **state) {
    (void)state;
    everybody_asks();
    everybody_asks(); // has no effect
    event_base_dispatch(at.base);
    assert_int_equal(at.served, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(at.order[i], i);
}

static void what_happens_meanwhile_goes_before_the_rest(void **state) {
    (void)state;
    struct event *event = event_new(at.base, at.pipe[0], EV_READ, see, NULL);
    event_add(event, NULL);
    everybody_asks();
    event_base_dispatch(at.base);
    assert_int_equal(at.served, CLIENTS);
    assert_in_range(at.seen_after, 10, 64);
    event_free(event);
}

static void one_that_was_taken_back_is_not_served(void **state) {
    (void)state;
    everybody_asks();
    list_remove(&at.clients[0].turn);
    list_remove(&at.clients[150].turn);
    event_base_dispatch(at.base);
    assert_int_equal(at.served, CLIENTS - 2);
    assert_int_equal(at.order[0], 1);
    assert_int_equal(at.order[149], 151);
}

static void who_asks_again_while_served_comes_behind_the_others(void **state) {
    (void)state;
    at.again = true;
    everybody_asks();
    event_base_dispatch(at.base);
    assert_int_equal(at.served, 2 * CLIENTS);
    for (unsigned i = 0; i < 2 * CLIENTS; i++)
        assert_int_equal(at.order[i], i % CLIENTS);
}

static void after_a_rest_they_are_taken_again(void **state) {
    (void)state;
    for (unsigned round = 1; round <= 2; round++) {
        turns_ask(&at.turns, &at.clients[0].turn);
        event_base_dispatch(at.base);
        assert_int_equal(at.served, round);
    }
}

int test_turns(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(are_taken_in_the_order_in_which_they_were_asked_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_happens_meanwhile_goes_before_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_taken_back_is_not_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_asks_again_while_served_comes_behind_the_others, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(after_a_rest_they_are_taken_again, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}

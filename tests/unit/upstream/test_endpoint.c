// Which of an endpoint's addresses the next connection goes to.
#include "base/clock.h"
#include "unit.h"
#include "upstream/endpoint.h"

#include <stdio.h>

struct fixture {
    struct address_list *addresses;
    struct endpoint *endpoint;
    struct endpoint_lane *lane;
};

static struct address_list *some_addresses(unsigned count) {
    struct address items[8];
    for (unsigned i = 0; i < count; i++) {
        char host[24];
        snprintf(host, sizeof host, "10.0.0.%u", i);
        assert_true(address_numeric(&items[i], host, 80));
    }
    return address_list_new(items, count);
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.addresses = some_addresses(3);
    fixture.endpoint = endpoint_new("blue", "http://x", fixture.addresses, "x", 1, 2);
    fixture.lane = &fixture.endpoint->lanes[0];
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    endpoint_unref(fixture->endpoint);
    address_list_unref(fixture->addresses);
    return 0;
}

static int next(struct fixture *fixture, uint64_t tried, uint64_t now_ns) {
    return endpoint_lane_address(fixture->lane, fixture->addresses, tried, now_ns);
}

static void each_has_its_turn(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 7; i++)
        assert_int_equal(next(fixture, 0, 0), i % 3);
    // another worker begins with another
    assert_int_equal(endpoint_lane_address(&fixture->endpoint->lanes[1], fixture->addresses, 0, 0), 1);
}

static void none_is_tried_twice_for_one_connection(void **state) {
    struct fixture *fixture = *state;
    uint64_t tried = 0;
    for (int i = 0; i < 3; i++)
        tried |= UINT64_C(1) << next(fixture, tried, 0);
    assert_int_equal(tried, 7);
    assert_int_equal(next(fixture, tried, 0), -1);
}

static void one_that_failed_is_passed_over_for_a_while(void **state) {
    struct fixture *fixture = *state;
    endpoint_lane_failed(fixture->lane, fixture->addresses, 1, 0);
    for (int i = 0; i < 6; i++)
        assert_int_not_equal(next(fixture, 0, 0), 1);
    assert_int_equal(next(fixture, 5, 0), 1); // there is no other
    bool seen = false;
    for (int i = 0; i < 3; i++)
        seen |= next(fixture, 0, 11 * NS_PER_S) == 1;
    assert_true(seen);
}

static void when_all_failed_they_take_turns_as_before(void **state) {
    struct fixture *fixture = *state;
    unsigned counts[3] = {0};
    for (int i = 0; i < 3; i++)
        endpoint_lane_failed(fixture->lane, fixture->addresses, i, 0);
    for (int i = 0; i < 9; i++)
        counts[next(fixture, 0, 0)]++;
    for (int i = 0; i < 3; i++)
        assert_int_equal(counts[i], 3);
}

static void what_failed_in_an_older_list_says_nothing_of_the_new_one(void **state) {
    struct fixture *fixture = *state;
    struct address_list *older = some_addresses(2);
    endpoint_lane_failed(fixture->lane, older, 0, 0);
    assert_int_equal(next(fixture, 0, 0), 0);
    address_list_unref(older);
}

int test_endpoint(void) {
#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FIXTURE(each_has_its_turn),
        FIXTURE(none_is_tried_twice_for_one_connection),
        FIXTURE(one_that_failed_is_passed_over_for_a_while),
        FIXTURE(when_all_failed_they_take_turns_as_before),
        FIXTURE(what_failed_in_an_older_list_says_nothing_of_the_new_one),
    };
    return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}

#include "../../../src/control/seen.h"
#include "unit.h"

#include <stdio.h>

static bool add(struct seen *seen, unsigned number) {
    char name[32];
    snprintf(name, sizeof name, "id-%u", number);
    return seen_add(seen, slice_of(name));
}

static void a_name_is_new_once(void **state) {
    struct seen *seen = seen_new(10);
    (void)state;
    assert_false(add(seen, 1));
    assert_true(add(seen, 1));
    assert_false(seen_add(seen, SLICE("id-1\0x")));
    assert_false(seen_add(seen, SLICE("")));
    assert_true(seen_add(seen, SLICE("")));
    seen_free(seen);
}

static void the_oldest_is_forgotten_first(void **state) {
    struct seen *seen = seen_new(3);
    (void)state;
    for (unsigned i = 1; i <= 4; i++)
        assert_false(add(seen, i));
    assert_true(add(seen, 2));
    assert_true(add(seen, 3));
    assert_true(add(seen, 4));
    assert_false(add(seen, 1)); // pushed out by 4, and pushes out 2
    assert_true(add(seen, 3));
    assert_false(add(seen, 2));
    seen_free(seen);
}

// Against what a window over the stream says, with many removals in a table that is as full as it gets.
static void it_is_the_last_so_many(void **state) {
    enum { MOST = 500, NAMES = 1300, ROUNDS = 200000 };
    static unsigned added[NAMES]; // number of the addition that brought it, 0 never
    struct seen *seen = seen_new(MOST);
    uint32_t random = 12345;
    unsigned additions = 0;
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * 1664525 + 1013904223;
        unsigned name = (random >> 8) % NAMES;
        bool expected = added[name] && additions - added[name] < MOST;
        assert_int_equal(add(seen, name), expected);
        if (!expected)
            added[name] = ++additions;
    }
    seen_free(seen);
}

int test_seen(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_new_once),
        cmocka_unit_test(the_oldest_is_forgotten_first),
        cmocka_unit_test(it_is_the_last_so_many),
    };
    return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}

#include "base/clock.h"
#include "io/deadline.h"
#include "unit.h"

struct fixture {
    struct event_base *base;
    struct deadlines deadlines;
};

static struct deadline *order[8];
static unsigned fired;

static void note(struct deadline *deadline) {
    order[fired++] = deadline;
}

static int set_up(void **state) {
    static struct fixture fixture;
    fixture.base = event_base_new();
    deadlines_init(&fixture.deadlines, fixture.base);
    fired = 0;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    deadlines_free(&fixture->deadlines);
    event_base_free(fixture->base);
    return 0;
}

static void fire_when_due_and_not_before(void **state) {
    struct deadlines *deadlines = &((struct fixture *)*state)->deadlines;
    struct deadline a = {0}, b = {0}, c = {0};
    deadline_set(deadlines, &a, 100, 0, note);
    deadline_set(deadlines, &b, 50, 0, note);
    deadline_set(deadlines, &c, 100, 20 * NS_PER_MS, note);
    deadlines_sweep(deadlines, 49 * NS_PER_MS);
    assert_int_equal(fired, 0);
    deadlines_sweep(deadlines, 50 * NS_PER_MS);
    assert_int_equal(fired, 1);
    assert_ptr_equal(order[0], &b);
    deadlines_sweep(deadlines, 119 * NS_PER_MS);
    assert_int_equal(fired, 2);
    deadlines_sweep(deadlines, 120 * NS_PER_MS);
    assert_int_equal(fired, 3);
    assert_ptr_equal(order[2], &c);
}

static void setting_again_moves_and_clearing_cancels(void **state) {
    struct deadlines *deadlines = &((struct fixture *)*state)->deadlines;
    struct deadline a = {0}, b = {0};
    deadline_set(deadlines, &a, 100, 0, note);
    deadline_set(deadlines, &b, 100, 0, note);
    deadline_set(deadlines, &a, 100, 90 * NS_PER_MS, note);
    deadline_clear(&b);
    deadline_clear(&b);
    deadlines_sweep(deadlines, 189 * NS_PER_MS);
    assert_int_equal(fired, 0);
    deadline_set(deadlines, &a, -1, 0, note); // off
    deadlines_sweep(deadlines, 1000 * NS_PER_MS);
    assert_int_equal(fired, 0);
}

static struct deadlines *again_in;
static void again(struct deadline *deadline) {
    note(deadline);
    if (fired < 3)
        deadline_set(again_in, deadline, 10 + (int64_t)fired, fired * 100 * NS_PER_MS, again);
}

static void may_be_set_from_its_own_expiry(void **state) {
    again_in = &((struct fixture *)*state)->deadlines;
    struct deadline a = {0};
    deadline_set(again_in, &a, 10, 0, again);
    for (unsigned ms = 0; ms < 1000; ms += 10)
        deadlines_sweep(again_in, ms * NS_PER_MS);
    assert_int_equal(fired, 3);
}

static void forgets_durations_nobody_uses(void **state) {
    struct deadlines *deadlines = &((struct fixture *)*state)->deadlines;
    for (int64_t i = 0; i < 1000; i++) {
        struct deadline a = {0};
        deadline_set(deadlines, &a, i, 0, note);
        deadline_clear(&a);
        deadlines_sweep(deadlines, 0);
    }
    assert_true(deadlines->count <= 17);
}

int test_deadline(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fire_when_due_and_not_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(setting_again_moves_and_clearing_cancels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_be_set_from_its_own_expiry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_durations_nobody_uses, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}

#include "../../../src/control/adoption.h"
#include "unit.h"

static void count(void *context) {
    ++*(int *)context;
}

static void who_waits_is_called_once_the_plan_or_a_newer_one_is_there(void **state) {
    (void)state;
    struct adoption adoption;
    int third = 0, fifth = 0, late = 0;
    adoption_init(&adoption);
    adoption_wait(&adoption, 5, count, &fifth);
    adoption_wait(&adoption, 3, count, &third);
    adoption_note(&adoption, 2);
    assert_int_equal(third + fifth, 0);
    adoption_note(&adoption, 4); // 3 was overtaken
    assert_int_equal(third, 1);
    assert_int_equal(fifth, 0);
    adoption_note(&adoption, 1); // never goes back
    adoption_wait(&adoption, 4, count, &late);
    assert_int_equal(late, 1);
    adoption_note(&adoption, 5);
    adoption_note(&adoption, 6);
    assert_int_equal(fifth, 1);
    assert_int_equal(third, 1);
    adoption_free(&adoption);
}

struct again {
    struct adoption *adoption;
    int called;
};

static void wait_again(void *context) {
    struct again *again = context;
    if (++again->called == 1)
        adoption_wait(again->adoption, 2, wait_again, again);
}

static void one_that_is_called_may_wait_again(void **state) {
    (void)state;
    struct adoption adoption;
    adoption_init(&adoption);
    struct again again = {&adoption, 0};
    adoption_wait(&adoption, 1, wait_again, &again);
    adoption_note(&adoption, 1);
    assert_int_equal(again.called, 1);
    adoption_note(&adoption, 2);
    assert_int_equal(again.called, 2);
    adoption_wait(&adoption, 9, wait_again, &again);
    adoption_free(&adoption); // lets go of the one that waits, without calling it
    assert_int_equal(again.called, 2);
}

int test_adoption(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_called_once_the_plan_or_a_newer_one_is_there),
        cmocka_unit_test(one_that_is_called_may_wait_again),
    };
    return cmocka_run_group_tests_name("adoption", tests, NULL, NULL);
}

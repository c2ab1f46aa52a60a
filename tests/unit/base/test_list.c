#include "base/list.h"
#include "unit.h"

struct item {
    int number;
    struct link link;
};

static void keeps_order(void **state) {
    (void)state;
    struct link head;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop(&head));
    list_push(&head, &items[1].link);
    list_push(&head, &items[2].link);
    list_push_front(&head, &items[0].link);
    assert_true(list_linked(&items[2].link));
    assert_false(list_linked(&items[3].link));
    list_remove(&items[3].link); // in no list: nothing happens
    list_remove(&items[1].link);
    assert_false(list_linked(&items[1].link));
    assert_int_equal(list_entry(list_pop(&head), struct item, link)->number, 0);
    assert_int_equal(list_entry(list_pop(&head), struct item, link)->number, 2);
    assert_true(list_empty(&head));
}

int test_list(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_order)};
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}

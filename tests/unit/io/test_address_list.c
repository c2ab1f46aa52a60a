#include "io/address_list.h"
#include "unit.h"

#include <stdio.h>

static struct address address_of(const char *text) {
    struct address address;
    struct error error;
    assert_true(address_parse(&address, text, &error));
    return address;
}

static void order_and_repeats_make_no_difference(void **state) {
    (void)state;
    struct address some[] = {address_of("10.0.0.2:80"), address_of("[::1]:80"), address_of("10.0.0.1:80"),
                             address_of("10.0.0.2:80")};
    struct address same[] = {some[1], some[2], some[0]};
    struct address_list *list = address_list_new(some, 4), *other = address_list_new(same, 3);
    assert_int_equal(list->count, 3);
    assert_true(address_list_equal(list, other));
    for (size_t i = 0; i < 4; i++)
        assert_true(address_list_has(other, &some[i]));
    address_list_unref(list);
    address_list_unref(other);
}

static void another_port_or_number_is_another_list(void **state) {
    (void)state;
    struct address one = address_of("10.0.0.1:80"), two[] = {one, address_of("10.0.0.1:81")};
    struct address_list *list = address_list_new(&one, 1), *other = address_list_new(&two[1], 1);
    struct address_list *both = address_list_new(two, 2);
    assert_false(address_list_equal(list, other));
    assert_false(address_list_equal(list, both));
    assert_false(address_list_has(list, &two[1]));
    address_list_unref(list);
    address_list_unref(other);
    address_list_unref(both);
}

static void no_more_are_taken_than_have_a_bit(void **state) {
    (void)state;
    struct address many[100];
    for (unsigned i = 0; i < 100; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.0.%u:80", i);
        many[i] = address_of(text);
    }
    struct address_list *list = address_list_new(many, 100);
    assert_int_equal(list->count, ADDRESS_LIST_MOST);
    address_list_unref(list);
}

int test_address_list(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_repeats_make_no_difference),
        cmocka_unit_test(another_port_or_number_is_another_list),
        cmocka_unit_test(no_more_are_taken_than_have_a_bit),
    };
    return cmocka_run_group_tests_name("address_list", tests, NULL, NULL);
}

#include "base/error.h"
#include "unit.h"
#include <string.h>

static void keeps_the_sentence(void **state) {
    (void)state;
    struct error error = {"old"};
    assert_false(error_set(&error, "cannot open %s: %d", "x.yaml", 2));
    assert_string_equal(error.text, "cannot open x.yaml: 2");
    assert_false(error_set(NULL, "nobody listens %d", 1));
}

static void takes_itself_as_an_argument(void **state) {
    (void)state;
    struct error error;
    error_set(&error, "no such file");
    error_set(&error, "%s: %s", "a.pem", error.text);
    assert_string_equal(error.text, "a.pem: no such file");
}

static void cuts_what_is_too_long(void **state) {
    (void)state;
    struct error error;
    error_set(&error, "%2000d", 1);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
}

int test_error(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_sentence),
        cmocka_unit_test(takes_itself_as_an_argument),
        cmocka_unit_test(cuts_what_is_too_long),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}

#include "base/mem.h"
#include "base/secret.h"
#include "unit.h"

static void only_the_same_is_equal(void **state) {
    (void)state;
    static const struct {
        struct slice given, secret;
        bool equal;
    } cases[] = {
        {SLICE("abc"), SLICE("abc"), true},   {SLICE("abd"), SLICE("abc"), false},
        {SLICE("ab"), SLICE("abc"), false},   {SLICE("abcabc"), SLICE("abc"), false},
        {SLICE(""), SLICE("abc"), false},     {SLICE("abc"), SLICE(""), false},
        {SLICE(""), SLICE(""), false},        {{NULL, 0}, {NULL, 0}, false},
        {SLICE("a\0b"), SLICE("a\0b"), true}, {SLICE("a\0b"), SLICE("a\0c"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(secret_equal(cases[i].given, cases[i].secret), cases[i].equal);
}

static void nothing_can_be_let_go_of(void **state) {
    (void)state;
    secret_free(NULL);
    secret_free(mem_copy_string("token"));
}

int test_secret(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_is_equal),
        cmocka_unit_test(nothing_can_be_let_go_of),
    };
    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}

#include "../../../src/control/parameters.h"
#include "unit.h"

#include <string.h>

static struct parameter table[3];
static struct error error;
static json_t *root;

static bool read(const char *body) {
    static const struct parameter fresh[] = {{.name = "reason", .kind = PARAMETER_TEXT},
                                             {.name = "full", .kind = PARAMETER_BOOL},
                                             {.name = "score", .kind = PARAMETER_NUMBER}};
    json_decref(root);
    memcpy(table, fresh, sizeof table);
    return parameters_read(slice_of(body), table, 3, &root, &error);
}

static int let_go(void **state) {
    (void)state;
    json_decref(root);
    root = NULL;
    return 0;
}

static void what_is_given_is_read(void **state) {
    (void)state;
    assert_true(read("{\"score\": 0.5, \"full\": false, \"reason\": \"because\"}"));
    assert_string_equal(table[0].text, "because");
    assert_true(table[1].given && !table[1].flag);
    assert_true(table[2].number > 0.49 && table[2].number < 0.51);
    assert_true(read("{\"full\": true, \"score\": 1}"));
    assert_true(table[1].flag && table[2].given && !table[0].given);
}

static void nothing_is_nothing(void **state) {
    static const char *const bodies[] = {"", "  ", "{}"};
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_true(read(bodies[i]));
        assert_false(table[0].given || table[1].given || table[2].given);
    }
}

static void mistakes_are_named(void **state) {
    static const char *const cases[][2] = {
        {"{", "JSON"},
        {"[]", "object"},
        {"1", "JSON"},
        {"{\"full\": 1}", "full must be true or false"},
        {"{\"full\": null}", "full"},
        {"{\"reason\": false}", "reason must be a string"},
        {"{\"score\": \"1\"}", "score must be a number"},
        {"{\"reason\": \"a\\u0000b\"}", "NUL"},
        {"{\"reason\": \"a\", \"reason\": \"a\"}", "JSON"},
        {"{\"raeson\": \"a\"}", "\"raeson\" (there is reason, full, score)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(read(cases[i][0]));
        if (!strstr(error.text, cases[i][1]))
            fail_msg("%s: %s", cases[i][0], error.text);
    }
}

int test_parameters(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_given_is_read, let_go),
        cmocka_unit_test_teardown(nothing_is_nothing, let_go),
        cmocka_unit_test_teardown(mistakes_are_named, let_go),
    };
    return cmocka_run_group_tests_name("parameters", tests, NULL, NULL);
}

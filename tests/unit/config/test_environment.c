// ${NAME} in values.
#include "load.h"
#include "unit.h"

#include <stdlib.h>

static const char *state_dir_of(const char *written, struct config **config) {
    struct strbuf text = {0};
    strbuf_format(&text, "state_dir: %s\n" HEAD ROUTES, written);
    *config = load_text(strbuf_text(&text));
    strbuf_free(&text);
    return (*config)->state_dir;
}

static void values_expand(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"/x/${SLUICE_TEST_A}", "/x/alpha"},
        {"\"/x/${SLUICE_TEST_A}/${SLUICE_TEST_A}\"", "/x/alpha/alpha"},
        {"/${SLUICE_TEST_UNSET:-default}", "/default"},
        {"/${SLUICE_TEST_EMPTY:-default}", "/default"},
        {"/a${SLUICE_TEST_EMPTY}b", "/ab"},
        {"/${SLUICE_TEST_A:-default}", "/alpha"},
        {"/${SLUICE_TEST_UNSET:-}", "/"},
        {"/$${SLUICE_TEST_A}", "/${SLUICE_TEST_A}"},
        {"/$SLUICE_TEST_A", "/$SLUICE_TEST_A"},
        {"/$$", "/$$"},
        {"/${SLUICE_TEST_NESTED}", "/${SLUICE_TEST_A}"}, // what comes from there is not expanded again
    };
    setenv("SLUICE_TEST_A", "alpha", 1);
    setenv("SLUICE_TEST_EMPTY", "", 1);
    setenv("SLUICE_TEST_NESTED", "${SLUICE_TEST_A}", 1);
    unsetenv("SLUICE_TEST_UNSET");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct config *config;
        assert_string_equal(state_dir_of(cases[i][0], &config), cases[i][1]);
        config_unref(config);
    }
}

static void a_value_cannot_bring_structure(void **state) {
    (void)state;
    setenv("SLUICE_TEST_A", "a\nworkers: 3", 1);
    struct config *config;
    assert_string_equal(state_dir_of("/${SLUICE_TEST_A}", &config), "/a\nworkers: 3");
    config_unref(config);
    setenv("SLUICE_TEST_A", "http://a, http://b", 1);
    refuse_text(
        "listeners: [{address: 127.0.0.1:1}]\npools: {blue: {endpoints: [\"${SLUICE_TEST_A}\"]}}\n" ROUTES,
        ":2:28: endpoint \"${SLUICE_TEST_A}\" is not of the form http://host:port "
        "(scheme, host and port only)\n");
}

// A value that was put into the environment instead of the file may be a secret.
static void mistakes_do_not_show_values(void **state) {
    (void)state;
    setenv("SLUICE_TEST_A", "sk-live-0123456789", 1);
    refuse_text(
        "workers: ${SLUICE_TEST_A}\n" HEAD ROUTES,
        ":1:10: `workers` must be `auto` or a number of threads from 1 to 256, not \"${SLUICE_TEST_A}\"\n");
    refuse_text("workers: Bearer ${SLUICE_TEST_A}!\n" HEAD ROUTES,
                ":1:10: `workers` must be `auto` or a number of threads from 1 to 256, not \"Bearer "
                "${SLUICE_TEST_A}!\"\n");
}

// A short file must not become a large one: sixteen values of a mebibyte are taken, seventeen are not.
static void values_are_bounded_in_all(void **state) {
    (void)state;
    char *big = malloc((1 << 20) + 1);
    assert_non_null(big);
    memset(big, 'x', 1 << 20);
    big[1 << 20] = '\0';
    setenv("SLUICE_TEST_A", big, 1);
    free(big);
    for (int count = 16; count <= 17; count++) {
        struct strbuf text = {0};
        strbuf_literal(&text, HEAD
                       "routes:\n  - name: chat\n    variants: {all: {pool: blue, request: {set_headers: {");
        for (int i = 0; i < count; i++)
            strbuf_format(&text, "%sh%d: \"${SLUICE_TEST_A}\"", i ? ", " : "", i);
        strbuf_literal(&text, "}}}}\n");
        if (count == 16)
            config_unref(load_text(strbuf_text(&text)));
        else
            refuse_text(strbuf_text(&text), ":7:453: the values of variables take more than 16 MiB in all\n");
        strbuf_free(&text);
    }
    setenv("SLUICE_TEST_A", "", 1);
}

static void numbers_and_keys(void **state) {
    (void)state;
    setenv("SLUICE_TEST_A", "12", 1);
    struct config *config = load_text("workers: ${SLUICE_TEST_A}\n" HEAD ROUTES);
    assert_int_equal(config->workers, 12);
    config_unref(config);
    refuse_text("${SLUICE_TEST_A}: 3\n" HEAD ROUTES,
                ":1:1: unknown key `${SLUICE_TEST_A}` in the configuration\n"); // keys are not expanded
}

int test_environment(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_expand),
        cmocka_unit_test(a_value_cannot_bring_structure),
        cmocka_unit_test(mistakes_do_not_show_values),
        cmocka_unit_test(values_are_bounded_in_all),
        cmocka_unit_test(numbers_and_keys),
    };
    return cmocka_run_group_tests_name("environment", tests, NULL, NULL);
}

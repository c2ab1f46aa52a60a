#include "../../../src/control/weights.h"
#include "unit.h"

#include <string.h>

static struct variant_config variants[] = {{.name = "stable"}, {.name = "canary"}, {.name = "shadow"}};
static const struct route_config route = {.name = "chat", .variants = variants, .variant_count = 3};

static bool read_text(const char *text, uint16_t *weights, struct error *error) {
    return weights_read(slice_of(text), &route, weights, error);
}

static void percentages_become_basis_points(void **state) {
    (void)state;
    uint16_t weights[3];
    struct error error;
    assert_true(read_text("{\"weights\":{\"stable\":94.75,\"canary\":5,\"shadow\":0.25}}", weights, &error));
    assert_int_equal(weights[0], 9475);
    assert_int_equal(weights[1], 500);
    assert_int_equal(weights[2], 25);
    assert_true(read_text("{\"weights\":{\"canary\":100}}", weights, &error));
    assert_int_equal(weights[0], 0);
    assert_int_equal(weights[1], 10000);
    assert_int_equal(weights[2], 0);
}

static void what_is_wrong_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *named;
    } cases[] = {
        {"", "not JSON"},
        {"{", "not JSON"},
        {"[]", "weights"},
        {"{}", "weights"},
        {"{\"weights\":{}}", "weights"},
        {"{\"weights\":[100]}", "weights"},
        {"{\"weights\":{\"stable\":50,\"stable\":50}}", "not JSON"}, // duplicates
        {"{\"weights\":{\"stable\":50,\"green\":25,\"blue\":25}}", "green, blue"},
        {"{\"weights\":{\"stable\":50,\"green\":50}}", "stable, canary, shadow"},
        {"{\"weights\":{\"stable\":50,\"canary\":49}}", "sum to 99.00"},
        {"{\"weights\":{\"stable\":100,\"canary\":0.01}}", "sum to 100.01"},
        {"{\"weights\":{\"stable\":99.999,\"canary\":0.001}}", "stable must be"},
        {"{\"weights\":{\"stable\":\"100\"}}", "stable must be"},
        {"{\"weights\":{\"stable\":200,\"canary\":-100}}", "stable must be"},
        {"{\"weights\":{\"stable\":null}}", "stable must be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint16_t weights[3];
        struct error error = {{0}};
        assert_false(read_text(cases[i].text, weights, &error));
        if (!strstr(error.text, cases[i].named))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, error.text, cases[i].named);
    }
}

int test_weights(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentages_become_basis_points),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests_name("weights", tests, NULL, NULL);
}

#include "metrics/registry.h"
#include "unit.h"

#include <string.h>

static void status_has_a_class(void **state) {
    (void)state;
    const struct {
        unsigned status;
        const char *class;
    } cases[] = {{101, "2xx"}, {200, "2xx"}, {299, "2xx"}, {300, "3xx"}, {304, "3xx"}, {400, "4xx"},
                 {429, "4xx"}, {498, "4xx"}, {499, "499"}, {500, "5xx"}, {503, "5xx"}, {599, "5xx"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(code_class_name(code_class_of(cases[i].status)), cases[i].class);
}

// Names are label values: distinct, and of characters that need no escaping.
static void check_names(const char *(*name)(unsigned), unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        assert_true(strlen(name(i)) > 0);
        assert_int_equal(strspn(name(i), "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name(i)));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(name(i), name(j));
    }
}
static const char *error_name(unsigned i) {
    return error_reason_name((enum error_reason)i);
}
static const char *retry_name(unsigned i) {
    return retry_reason_name((enum retry_reason)i);
}
static const char *code_name(unsigned i) {
    return code_class_name((enum code_class)i);
}
static const char *token_name(unsigned i) {
    return token_type_name((enum token_type)i);
}
static void names_are_distinct(void **state) {
    (void)state;
    check_names(error_name, ERROR_REASONS);
    check_names(retry_name, RETRY_REASONS);
    check_names(code_name, CODE_CLASSES);
    check_names(token_name, TOKEN_TYPES);
}

// Every 64-bit word of a lane is a counter (of the one double, small numbers add up bit by bit too); each of
// them must reach the total, once per lane.
static void total_sums_every_counter_of_every_lane(void **state) {
    (void)state;
    struct registry *registry = registry_new(3);
    struct variant_series *series = registry_variant(registry, "r", "v");
    const size_t words = sizeof(struct variant_lane) / sizeof(uint64_t);
    assert_int_equal(sizeof(struct variant_lane) % sizeof(uint64_t), 0);
    for (unsigned lane = 0; lane < 3; lane++) {
        assert_int_equal((uintptr_t)series->lanes[lane] % 64, 0);
        for (size_t i = 0; i < words; i++) {
            uint64_t value = (i + 1) * (lane + 1);
            memcpy((char *)series->lanes[lane] + i * sizeof value, &value, sizeof value);
        }
    }
    static struct variant_lane total;
    memset(&total, 0xff, sizeof total);
    variant_total(series, &total);
    for (size_t i = 0; i < words; i++) {
        uint64_t value;
        memcpy(&value, (char *)&total + i * sizeof value, sizeof value);
        assert_int_equal(value, (i + 1) * 6);
    }
    variant_unref(series);
    registry_free(registry);
}

int test_variant(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_has_a_class),
        cmocka_unit_test(names_are_distinct),
        cmocka_unit_test(total_sums_every_counter_of_every_lane),
    };
    return cmocka_run_group_tests_name("variant", tests, NULL, NULL);
}

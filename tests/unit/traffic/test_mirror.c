// Which requests are copied to another variant.
#include "traffic/decide.h"
#include "unit.h"

#define SALT "chat-v1.1"

// Whether a request of `unit` (NULL: none, a number is drawn) that went to `variant` is copied to the canary.
static bool copied(const char *unit, size_t variant, uint64_t random, int64_t share) {
    struct variant_config variants[] = {
        {.name = "stable", .weight = 9500}, {.name = "canary", .weight = 500}, {.name = "dark"}};
    struct mirror_config mirror = {.variant = "canary", .index = 1, .share = share};
    struct route_config config = {
        .sticky.salt = SALT, .mirror = &mirror, .variants = variants, .variant_count = 3};
    struct decision decision = {.variant = variant, .unit.source = UNIT_RANDOM};
    if (unit)
        decision.unit = (struct unit){slice_of(unit), UNIT_HEADER};
    struct live_route route;
    live_route_init(&route, &config);
    return decide_mirror(&route, &decision, random);
}

static void a_unit_is_copied_by_a_bucket_of_its_own(void **state) {
    (void)state;
    static const char *const units[] = {"user-1", "alice", "bob"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int bucket = split_bucket(split_seed(SLICE(SALT "/mirror")), slice_of(units[i]));
        assert_int_not_equal(bucket, split_bucket(split_seed(SLICE(SALT)), slice_of(units[i])));
        for (uint64_t random = 0; random < 2; random++) { // which is not asked
            assert_false(copied(units[i], 0, random, bucket));
            assert_true(copied(units[i], 0, random, bucket + 1));
            assert_true(copied(units[i], 2, random, bucket + 1));
        }
    }
}

static void without_a_unit_a_number_decides(void **state) {
    (void)state;
    assert_false(copied(NULL, 0, 10499, 499));
    assert_true(copied(NULL, 0, 10499, 500));
    assert_false(copied(NULL, 0, 0, 0));
    assert_true(copied(NULL, 0, 9999, 10000));
}

static void nothing_is_copied_to_where_it_went(void **state) {
    (void)state;
    assert_false(copied("alice", 1, 0, 10000));
    assert_false(copied(NULL, 1, 0, 10000));
}

int test_mirror(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_is_copied_by_a_bucket_of_its_own),
        cmocka_unit_test(without_a_unit_a_number_decides),
        cmocka_unit_test(nothing_is_copied_to_where_it_went),
    };
    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}

#include "../../../src/control/expect.h"
#include "unit.h"

#include <string.h>

static bool met(const struct probe_expect_config *expect, long status, const char *body, char *why) {
    struct expect_answer answer = {.status = status, .body = slice_of(body)};
    return expect_met(expect, &answer, why, 128);
}

static void without_a_wish_any_2xx_will_do(void **state) {
    (void)state;
    const struct probe_expect_config any = {0};
    char why[128];
    assert_true(met(&any, 200, "", why));
    assert_string_equal(why, "ok");
    assert_true(met(&any, 204, NULL, why));
    assert_false(met(&any, 302, "", why));
    assert_string_equal(why, "status 302");
    assert_false(met(&any, 500, "", why));
}

static void status_text_and_pointers_must_all_be_met(void **state) {
    (void)state;
    int64_t statuses[] = {200, 201};
    struct pointer_config pointers[] = {{"/choices/0/finish_reason", "\"stop\""}, {"/usage/n", "2"}};
    const struct probe_expect_config expect = {
        .status = statuses, .status_count = 2, .body_contains = "stop", .json = {pointers, 2}};
    static const struct {
        long status;
        const char *body, *why;
    } cases[] = {
        {200, "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"n\":2}}", "ok"},
        {201, "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"n\":2.0}}", "ok"},
        {202, "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"n\":2}}", "status 202"},
        {200, "{}", "the body does not contain \"stop\""},
        {200, "not json but stop", "the body is not JSON"},
        {200, "{\"choices\":[{\"finish_reason\":\"length\"}],\"x\":\"stop\"}",
         "/choices/0/finish_reason in the body is not \"stop\""},
        {200, "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"n\":3}}",
         "/usage/n in the body is not 2"},
        {200, "{\"choices\":[],\"x\":\"stop\"}", "/choices/0/finish_reason in the body is not \"stop\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char why[128];
        bool expected = strcmp(cases[i].why, "ok") == 0;
        assert_int_equal(met(&expect, cases[i].status, cases[i].body, why), expected);
        assert_string_equal(why, cases[i].why);
    }
}

static void no_answer_is_never_what_was_expected(void **state) {
    (void)state;
    const struct probe_expect_config any = {0};
    struct expect_answer answer = {.error = "Connection refused"};
    char why[128];
    assert_false(expect_met(&any, &answer, why, sizeof why));
    assert_string_equal(why, "Connection refused");
    answer = (struct expect_answer){.status = 200, .error = "transfer closed"}; // cut short
    assert_false(expect_met(&any, &answer, why, sizeof why));
}

static void a_cut_body_passes_only_when_nobody_looks_inside(void **state) {
    (void)state;
    const struct probe_expect_config any = {0}, inside = {.body_contains = "x"};
    struct expect_answer answer = {.status = 200, .body = SLICE("xxx"), .truncated = true};
    char why[128];
    assert_true(expect_met(&any, &answer, why, sizeof why));
    assert_false(expect_met(&inside, &answer, why, sizeof why));
}

static void a_right_answer_may_come_too_late(void **state) {
    (void)state;
    const struct probe_expect_config expect = {.latency = 500, .body_contains = "4"};
    struct expect_answer answer = {.status = 200, .body = SLICE("4"), .took_ms = 500};
    char why[128];
    assert_true(expect_met(&expect, &answer, why, sizeof why));
    answer.took_ms = 501;
    assert_false(expect_met(&expect, &answer, why, sizeof why));
    assert_string_equal(why, "took 501 ms, more than 500 ms");
    answer.status = 500; // what is wrong with it says more than when it came
    assert_false(expect_met(&expect, &answer, why, sizeof why));
    assert_string_equal(why, "status 500");
    answer = (struct expect_answer){.status = 200, .took_ms = 100000};
    const struct probe_expect_config off = {.latency = DURATION_OFF}, none = {0};
    assert_true(expect_met(&off, &answer, why, sizeof why));
    assert_true(expect_met(&none, &answer, why, sizeof why));
}

int test_expect(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_wish_any_2xx_will_do),
        cmocka_unit_test(status_text_and_pointers_must_all_be_met),
        cmocka_unit_test(no_answer_is_never_what_was_expected),
        cmocka_unit_test(a_cut_body_passes_only_when_nobody_looks_inside),
        cmocka_unit_test(a_right_answer_may_come_too_late),
    };
    return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}

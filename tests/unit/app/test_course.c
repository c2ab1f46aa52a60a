#include "../../../src/app/demo/course.h"
#include "../../../src/app/demo/fault.h"
#include "samples.h"
#include "unit.h"

#include "app/options.h"

#include <string.h>

#define STEP     PLACE("step", "1", "95", "5")
#define BACK     PLACE("rolled_back", "1", "100", "0")
#define DECIDED  DECISION("7", "step", "controller", STEP, STEP, "a")
#define DECIDED8 DECISION("8", "rollback", "controller", STEP, BACK, "it is worse: e-value 500")

static json_t *parse(const char *text) {
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void see(struct course *course, const char *rollout) {
    json_t *json = parse(rollout);
    course_status(course, json);
    json_decref(json); // what is kept outlives the answer
}

static void hear(struct course *course, const char *decisions, struct news *news) {
    json_t *json = parse(decisions);
    course_decisions(course, json, news);
    json_decref(json);
}

static void a_decision_is_news_once(void **state) {
    static struct news news;
    struct course course = {0};
    (void)state;
    hear(&course, "{\"decisions\":[]}", &news);
    course_decisions(&course, NULL, &news); // no answer came
    assert_int_equal(news.count, 0);
    hear(&course, "{\"decisions\":[" DECIDED "]}", &news);
    hear(&course, "{\"decisions\":[" DECIDED "," DECIDED8 "]}", &news);
    hear(&course, "{\"decisions\":[" DECIDED "," DECIDED8 "]}", &news);
    assert_int_equal(news.count, 2);
    assert_string_equal(
        news.items[1].text,
        "rollback by the controller: step 2 (stable 95 %, canary 5 %) -> rolled_back (stable 100 %, "
        "canary 0 %): it is worse: e-value 500");
    assert_int_equal(json_integer_value(json_object_get(course.decision, "number")), 8);
    course_free(&course);
}

static void the_end_has_an_exit_code(void **state) {
    struct course course = {0};
    (void)state;
    assert_int_equal(course_end(&course), -1); // nothing is known yet
    see(&course, ROLLOUT("step", "none", "1", ""));
    assert_int_equal(course_end(&course), -1);
    see(&course, ROLLOUT("promoted", "none", "3", ""));
    assert_int_equal(course_end(&course), EXIT_DONE);
    see(&course, ROLLOUT("rolled_back", "none", "1", ""));
    assert_int_equal(course_end(&course), EXIT_ROLLED_BACK);
    course_status(&course, NULL); // a reload took the rollout away
    assert_int_equal(course_end(&course), -1);
    course_free(&course);
}

static void guards_show_what_they_have_and_need(void **state) {
    struct course course = {0};
    struct strbuf out = {0};
    (void)state;
    course_write(&course, &out);
    assert_int_equal(out.len, 0);
    see(&course, ROLLOUT("step", "none", "1", ""));
    course_write(&course, &out);
    const char *text = strbuf_text(&out);
    assert_non_null(strstr(text, "canary canary v1.1: step 2 of 4 at 5 %  12.3 s of 10m\n"));
    assert_non_null(
        strstr(text, "error_rate       wait    0.60 % of 500       0.46 % of 9,000     2 of 200"));
    assert_non_null(strstr(text, "0.631\n")); // how much is needed is not told
    strbuf_free(&out);
    course_free(&course);
}

static void every_fault_has_what_it_needs(void **state) {
    static const char *const names[] = {"errors", "latency", "cost", "quality"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct fault *fault = fault_find(names[i]);
        assert_non_null(fault);
        assert_non_null(strstr(FAULT_KINDS, names[i]));
        if (fault->change)
            json_decref(parse(fault->change));
    }
    assert_non_null(fault_find(FAULT_USUAL));
    assert_null(fault_find("error"));
    assert_null(fault_find(""));
}

int test_course(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_decision_is_news_once),
        cmocka_unit_test(the_end_has_an_exit_code),
        cmocka_unit_test(guards_show_what_they_have_and_need),
        cmocka_unit_test(every_fault_has_what_it_needs),
    };
    return cmocka_run_group_tests_name("course", tests, NULL, NULL);
}

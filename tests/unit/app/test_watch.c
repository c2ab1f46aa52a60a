#include "../../../src/app/watch.h"
#include "samples.h"
#include "unit.h"

#include "app/options.h"

#include <string.h>

#define STEP     PLACE("step", "1", "95", "5")
#define BACK     PLACE("rolled_back", "1", "100", "0")
#define DECIDED  DECISION("7", "step", "controller", STEP, STEP, "a")
#define DECIDED8 DECISION("8", "rollback", "person", STEP, BACK, "b")

// What one look says.
static const char *look(struct watch *watch, const char *decisions, const char *rollout) {
    static char said[1024];
    struct strbuf out = {0};
    json_t *decided = json_loads(decisions, 0, NULL), *now = json_loads(rollout, 0, NULL);
    assert_true(decided && now);
    watch_decisions(watch, decided, &out);
    watch_rollout(watch, now, 1000, &out);
    snprintf(said, sizeof said, "%s", strbuf_text(&out));
    strbuf_free(&out);
    json_decref(decided);
    json_decref(now);
    return said;
}

static void only_what_is_new_is_said(void **state) {
    struct watch watch = {0};
    (void)state;
    assert_string_equal(look(&watch, "{\"decisions\":[" DECIDED "]}", ROLLOUT("step", "none", "1", "")),
                        "00:00:01  step 2 of 4 at 5 %\n");
    assert_string_equal(look(&watch, "{\"decisions\":[" DECIDED "]}", ROLLOUT("step", "none", "1", "")), "");
    assert_string_equal(
        look(&watch, "{\"decisions\":[" DECIDED "," DECIDED8 "]}", ROLLOUT("rolled_back", "none", "1", "")),
        "05:35:24  rollback by a person: step 2 (stable 95 %, canary 5 %) -> rolled_back (stable 100 %, "
        "canary "
        "0 %): b\n00:00:01  rolled back\n");
    watch_free(&watch);
}

static void a_first_decision_is_new_when_there_were_none(void **state) {
    struct watch watch = {0};
    (void)state;
    look(&watch, "{\"decisions\":[]}", ROLLOUT("idle", "none", "0", ""));
    assert_non_null(strstr(look(&watch, "{\"decisions\":[" DECIDED "]}", ROLLOUT("step", "none", "1", "")),
                           "step by the controller"));
    watch_free(&watch);
}

static void json_has_one_value_a_line(void **state) {
    struct watch watch = {.as_json = true};
    (void)state;
    look(&watch, "{\"decisions\":[]}", ROLLOUT("idle", "none", "0", ""));
    const char *said = look(&watch, "{\"decisions\":[" DECIDED "]}", ROLLOUT("idle", "none", "0", ""));
    assert_int_equal(strchr(said, '\n') - said, strlen(said) - 1);
    json_t *line = json_loads(said, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "number")), 7);
    json_decref(line);
    watch_free(&watch);
}

static void it_ends_as_the_rollout_does(void **state) {
    static const struct {
        const char *rollout;
        int end;
    } cases[] = {
        {ROLLOUT("step", "none", "1", ""), -1},
        {ROLLOUT("step", "person", "1", ""), -1},
        {"{\"state\":\"stopped\",\"hold\":\"none\",\"baseline\":\"a\",\"winner\":\"b\"}", EXIT_DONE},
        {"{\"state\":\"stopped\",\"hold\":\"none\",\"baseline\":\"a\",\"winner\":\"a\"}", EXIT_ROLLED_BACK},
        {"{\"state\":\"stopped\",\"hold\":\"none\",\"baseline\":\"a\",\"winner\":null}", EXIT_TIMED_OUT},
        {ROLLOUT("step", "inconclusive", "1", ""), EXIT_TIMED_OUT},
        {ROLLOUT("watch", "none", "3", ""), -1},
        {ROLLOUT("promoted", "none", "3", ""), EXIT_DONE},
        {ROLLOUT("rolling_back", "none", "1", ""), -1},
        {ROLLOUT("rolled_back", "none", "1", ""), EXIT_ROLLED_BACK},
        {ROLLOUT("stopped", "none", "1", ""), EXIT_TIMED_OUT},
        {ROLLOUT("idle", "none", "0", ""), -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *rollout = json_loads(cases[i].rollout, 0, NULL);
        assert_int_equal(watch_end(rollout), cases[i].end);
        json_decref(rollout);
    }
}

int test_watch(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_new_is_said),
        cmocka_unit_test(a_first_decision_is_new_when_there_were_none),
        cmocka_unit_test(json_has_one_value_a_line),
        cmocka_unit_test(it_ends_as_the_rollout_does),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}

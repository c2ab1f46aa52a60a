#include "../../../src/app/rollout_text.h"
#include "samples.h"
#include "unit.h"

#include <string.h>

static const char *state_of(const char *json) {
    static char said[256];
    struct strbuf out = {0};
    json_t *rollout = json_loads(json, 0, NULL);
    assert_non_null(rollout);
    rollout_text_state(&out, rollout);
    snprintf(said, sizeof said, "%s", strbuf_text(&out));
    strbuf_free(&out);
    json_decref(rollout);
    return said;
}

static void every_state_has_its_words(void **state) {
    (void)state;
    assert_string_equal(state_of(ROLLOUT("step", "none", "1", "")), "step 2 of 4 at 5 %");
    assert_string_equal(state_of(ROLLOUT("paused", "none", "2", "")),
                        "step 3 of 4, a pause that waits for `sluice promote`");
    assert_string_equal(state_of(ROLLOUT("hook", "hook", "0", "")),
                        "hooks.before_step is being asked for step 1 of 4, held (hook)");
    assert_string_equal(state_of(ROLLOUT("gates", "gate", "0", "")),
                        "the gates before the first step are being asked, held (gate)");
    assert_string_equal(state_of(ROLLOUT("rolled_back", "none", "1", "")), "rolled back");
    assert_string_equal(state_of(ROLLOUT("promoted", "none", "3", "")), "promoted");
    assert_string_equal(state_of(ROLLOUT("idle", "none", "0", "")), "idle: nothing is being tried");
    assert_string_equal(state_of("{\"strategy\":\"rolling\",\"state\":\"step\",\"hold\":\"none\",\"step\":1,"
                                 "\"steps\":[],\"step_count\":3}"),
                        "batch 2 of 3");
    assert_string_equal(state_of("{\"state\":\"stopped\",\"hold\":\"none\",\"step\":0,\"steps\":[],"
                                 "\"winner\":\"b\",\"keep_warm\":true}"),
                        "stopped, winner b, one command switches back");
}

static void status_shows_time_reason_and_guards(void **state) {
    struct strbuf out = {0};
    json_t *rollout = json_loads(ROLLOUT("step", "person", "1", ""), 0, NULL);
    (void)state;
    rollout_text_status(&out, rollout);
    assert_string_equal(strbuf_text(&out),
                        "  canary canary v1.1: step 2 of 4 at 5 %, held (person)  12.3 s of 10m\n"
                        "    step 2 of 4\n"
                        "    error_rate                   wait    failed requests: candidate 3 of 500\n");
    strbuf_free(&out);
    json_decref(rollout);
}

static void a_journal_that_cannot_be_written_is_shown(void **state) {
    struct strbuf out = {0};
    json_t *rollout = json_loads(ROLLOUT("step", "journal", "1", ",\"journal_failing\":true"), 0, NULL);
    (void)state;
    rollout_text_status(&out, rollout);
    assert_non_null(strstr(strbuf_text(&out), "decisions cannot be written to disk"));
    strbuf_free(&out);
    json_decref(rollout);
}

static void a_broken_sample_ratio_is_shown(void **state) {
    struct strbuf out = {0};
    json_t *rollout = json_loads("{\"state\":\"step\",\"hold\":\"sample_ratio\",\"step\":0,\"steps\":[],"
                                 "\"sample_ratio\":{\"log10_e\":3,\"broken\":true,"
                                 "\"units\":{\"stable\":1900,\"canary\":10}}}",
                                 0, NULL);
    (void)state;
    rollout_text_status(&out, rollout);
    assert_non_null(strstr(strbuf_text(&out),
                           "sample ratio broken: e-value 1e+03; units seen: stable 1,900 canary 10\n"));
    strbuf_free(&out);
    json_decref(rollout);
}

static void no_rollout_no_lines(void **state) {
    struct strbuf out = {0};
    (void)state;
    rollout_text_status(&out, NULL);
    rollout_text_status(&out, json_null());
    assert_int_equal(out.len, 0);
}

int test_rollout_text(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_words),
        cmocka_unit_test(status_shows_time_reason_and_guards),
        cmocka_unit_test(a_journal_that_cannot_be_written_is_shown),
        cmocka_unit_test(a_broken_sample_ratio_is_shown),
        cmocka_unit_test(no_rollout_no_lines),
    };
    return cmocka_run_group_tests_name("rollout_text", tests, NULL, NULL);
}

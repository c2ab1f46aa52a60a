#include "../../../src/app/decision_text.h"
#include "samples.h"
#include "unit.h"

#include <string.h>

#define STEP PLACE("step", "1", "95", "5")
#define BACK PLACE("rolled_back", "1", "100", "0")

static void check(void (*write)(struct strbuf *out, const json_t *value), const char *json,
                  const char *said) {
    struct strbuf out = {0};
    json_error_t why;
    json_t *value = json_loads(json, 0, &why);
    assert_non_null(value);
    write(&out, value);
    assert_string_equal(strbuf_text(&out), said);
    strbuf_free(&out);
    json_decref(value);
}

static void everything_is_explained(void **state) {
    (void)state;
    check(
        decision_text_whole, DECISION("7", "rollback", "controller", STEP, BACK, "it is worse"),
        "#7  2026-11-23T05:35:24.123Z  rollback by the controller  version v1.1\n"
        "    step 2 (stable 95 %, canary 5 %) -> rolled_back (stable 100 %, canary 0 %)\n"
        "    because it is worse\n"
        "    error_rate: fail: it is worse\n"
        "      candidate 0.60 % (3 of 500), baseline 0.46 % (41 of 9,000), difference -0.10 to 2.00 points\n"
        "      e-values: harm 2 of the 200 that suffice, no harm 0.631; about 1,200 requests more\n");
}

static void what_stays_is_named_once(void **state) {
    (void)state;
    check(decision_text_line, DECISION("8", "pause", "person", STEP, STEP, "lunch\\u001b[2J"),
          "pause by a person: step 2 (stable 95 %, canary 5 %): lunch [2J");
}

static void holds_are_part_of_the_way(void **state) {
    (void)state;
    check(decision_text_line,
          DECISION("8", "hold", "controller",
                   "{\"state\":\"step\",\"step\":0,\"hold\":\"none\",\"weights\":{\"canary\":5}}",
                   "{\"state\":\"step\",\"step\":0,\"hold\":\"no_data\",\"weights\":{\"canary\":5}}",
                   "no figures"),
          "hold by the controller: step 1 (canary 5 %) -> step 1, held (no_data) (canary 5 %): no figures");
}

static void commands_say_what_they_did(void **state) {
    (void)state;
    check(
        decision_text_done,
        "{\"route\":\"chat\",\"plan\":9,\"rollout\":" ROLLOUT(
            "rolled_back", "none", "1", "") ",\"decision\":" DECISION("9", "rollback", "person", STEP, BACK,
                                                                      "back from 5 % to 0 % at once: no") "}",
        "chat: rolled back from 5 % to 0 %\n  back from 5 % to 0 % at once: no\n");
    check(decision_text_done,
          "{\"route\":\"chat\",\"plan\":9,\"rollout\":" ROLLOUT(
              "step", "person", "1", "") ",\"decision\":" DECISION("9", "pause", "person", STEP, STEP,
                                                                   "paused: lunch") "}",
          "chat: paused; now step 2 of 4 at 5 %, held (person)\n  paused: lunch\n");
    check(decision_text_done,
          "{\"route\":\"chat\",\"plan\":9,\"rollout\":" ROLLOUT(
              "step", "none", "1", "") ",\"decision\":" DECISION("9", "step", "person",
                                                                 PLACE("step", "0", "99", "1"), STEP,
                                                                 "go") "}",
          "chat: step 2 of 4 at 5 % from 1 % to 5 %\n  go\n");
}

int test_decision_text(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_explained),
        cmocka_unit_test(what_stays_is_named_once),
        cmocka_unit_test(holds_are_part_of_the_way),
        cmocka_unit_test(commands_say_what_they_did),
    };
    return cmocka_run_group_tests_name("decision_text", tests, NULL, NULL);
}

// The names that dashboards, scripts and journals hold on to: each of them, and no other.
#include "rollout/machine.h"
#include "unit.h"

#define EACH(names, count, name_of, type)                                          \
    do {                                                                           \
        assert_int_equal(sizeof(names) / sizeof *(names), count);                  \
        for (size_t i = 0; i < sizeof(names) / sizeof *(names); i++)               \
            assert_string_equal(name_of((type)(names)[i].value), (names)[i].name); \
    } while (0)

static void every_state_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum rollout_state value;
        const char *name;
        bool running, judged;
    } states[] = {
        {ROLLOUT_IDLE, "idle", false, false},
        {ROLLOUT_GATES, "gates", true, false},
        {ROLLOUT_HOOK, "hook", true, true},
        {ROLLOUT_STEP, "step", true, true},
        {ROLLOUT_PAUSED, "paused", true, true},
        {ROLLOUT_WATCH, "watch", true, true},
        {ROLLOUT_PROMOTED, "promoted", false, false},
        {ROLLOUT_ROLLING_BACK, "rolling_back", true, false},
        {ROLLOUT_ROLLED_BACK, "rolled_back", false, false},
        {ROLLOUT_STOPPED, "stopped", false, false},
    };
    EACH(states, ROLLOUT_STATES, rollout_state_name, enum rollout_state);
    for (size_t i = 0; i < ROLLOUT_STATES; i++) {
        assert_int_equal(rollout_state_running(states[i].value), states[i].running);
        assert_int_equal(rollout_state_judged(states[i].value), states[i].judged);
    }
}

static void every_hold_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum rollout_hold value;
        const char *name;
    } holds[] = {
        {HOLD_NONE, "none"},
        {HOLD_PERSON, "person"},
        {HOLD_BY_HAND, "by_hand"},
        {HOLD_NO_DATA, "no_data"},
        {HOLD_ERROR, "error"},
        {HOLD_SIGNAL, "signal"},
        {HOLD_SAMPLE_RATIO, "sample_ratio"},
        {HOLD_GATE, "gate"},
        {HOLD_HOOK, "hook"},
        {HOLD_INCONCLUSIVE, "inconclusive"},
        {HOLD_JOURNAL, "journal"},
        {HOLD_FLEET, "fleet"},
    };
    EACH(holds, ROLLOUT_HOLDS, rollout_hold_name, enum rollout_hold);
}

static void every_verdict_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum verdict value;
        const char *name;
    } verdicts[] = {
        {VERDICT_PASS, "pass"},   {VERDICT_WAIT, "wait"}, {VERDICT_NO_DATA, "no_data"},
        {VERDICT_ERROR, "error"}, {VERDICT_FAIL, "fail"},
    };
    EACH(verdicts, VERDICT_FAIL + 1, verdict_name, enum verdict);
}

static void every_decision_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum decision_action value;
        const char *name;
    } actions[] = {
        {DECISION_NONE, "none"},         {DECISION_START, "start"},       {DECISION_GATE, "gate"},
        {DECISION_STEP, "step"},         {DECISION_PAUSE, "pause"},       {DECISION_RESUME, "resume"},
        {DECISION_HOLD, "hold"},         {DECISION_RELEASE, "release"},   {DECISION_PROMOTE, "promote"},
        {DECISION_COMPLETE, "complete"}, {DECISION_ROLLBACK, "rollback"}, {DECISION_WEIGHTS, "weights"},
        {DECISION_WINNER, "winner"},     {DECISION_STOP, "stop"},         {DECISION_COOL, "cool"},
    };
    EACH(actions, DECISION_ACTIONS, decision_action_name, enum decision_action);
}

static void every_strategy_has_its_name(void **state) {
    (void)state;
    static const struct {
        enum rollout_strategy value;
        const char *name;
    } strategies[] = {
        {ROLLOUT_CANARY, "canary"},
        {ROLLOUT_BLUE_GREEN, "blue_green"},
        {ROLLOUT_ROLLING, "rolling"},
        {ROLLOUT_AB, "ab"},
    };
    EACH(strategies, ROLLOUT_AB + 1, rollout_strategy_name, enum rollout_strategy);
}

int test_machine_names(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_has_its_name),    cmocka_unit_test(every_hold_has_its_name),
        cmocka_unit_test(every_verdict_has_its_name),  cmocka_unit_test(every_decision_has_its_name),
        cmocka_unit_test(every_strategy_has_its_name),
    };
    return cmocka_run_group_tests_name("machine_names", tests, NULL, NULL);
}

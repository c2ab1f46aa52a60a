// The machine while the members of a fleet have different rollouts in their files.
#include "machine_run.h"
#include "unit.h"

#include <string.h>

#define DIFFERS "instance b has another rollout in its file"

static void differ(struct run *run) {
    run->judgement.fleet_differs = DIFFERS;
}

static void agree(struct run *run) {
    run->judgement.fleet_differs = NULL;
}

static void begin(struct run *run, bool gated, bool hooked) {
    struct rollout_plan plan = canary();
    plan.gated = gated;
    plan.hooked = hooked;
    run_begin(run, plan);
    run_say(run, VERDICT_PASS);
}

static void goes_on(struct run *run) { // by the next tick, and says so
    agree(run);
    run_tick(run, 250);
    assert_int_equal(run->outcome.action, DECISION_RELEASE);
    assert_int_equal(run->machine.hold, HOLD_NONE);
}

static void a_start_is_held(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_HOOK, 0, 0); // before the first step
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    assert_int_equal(run.outcome.action, DECISION_START);
    assert_string_equal(run.outcome.because, "version v2 starts (it is new); held (fleet): " DIFFERS);
    run_send(&run, EVENT_VERSION);
    assert_int_equal(run.outcome.action, DECISION_NONE); // tried already
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_int_equal(run.outcome.action, DECISION_NONE); // told once
    goes_on(&run);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_true(run.outcome.acts & ACT_WEIGHTS && run.outcome.acts & ACT_STEP_BEGINS);
    assert_false(run.outcome.acts & ACT_ASK_HOOK);
}

static void a_start_waits_before_gates_and_hooks(void **state) {
    (void)state;
    struct run run;
    begin(&run, true, true);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_GATES, 0, 0);
    assert_false(run.outcome.acts & ACT_ASK_GATES);
    run_send(&run, EVENT_GATES_PASSED); // of before
    AT(&run, ROLLOUT_GATES, 0, 0);
    goes_on(&run);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
    differ(&run); // while they are asked
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    assert_string_equal(run.outcome.because, "held (fleet): " DIFFERS);
    run_send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_GATES, 0, 0);
    goes_on(&run);
    run_send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    differ(&run);
    run_tick(&run, 250);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    goes_on(&run);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    run_send(&run, EVENT_HOOK_FAILED);
    differ(&run);
    run_tick(&run, 31000);
    assert_int_equal(run.machine.hold, HOLD_FLEET); // and the hook is asked no more
    assert_false(run.outcome.acts & ACT_ASK_HOOK);
    goes_on(&run);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void a_step_is_held_and_its_time_stands_still(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 30000);
    differ(&run);
    run_tick(&run, 1000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_int_equal(run.outcome.action, DECISION_HOLD); // at once
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    run_say(&run, VERDICT_WAIT);
    run_tick(&run, 10000000);
    AT(&run, ROLLOUT_STEP, 0, 100); // step_timeout has not passed
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    run_say(&run, VERDICT_PASS);
    goes_on(&run);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 28000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 1000);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_pause_and_the_watch_are_held(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 61000);
    run_tick(&run, 61000);
    differ(&run);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    goes_on(&run);
    AT(&run, ROLLOUT_PAUSED, 2, 500); // it still waits for a person
    run_send(&run, EVENT_PROMOTE_FULL);
    differ(&run);
    run_tick(&run, 250);
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_WATCH, 2, 10000);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    goes_on(&run);
    run_tick(&run, 120000);
    AT(&run, ROLLOUT_PROMOTED, 2, 10000);
    differ(&run);
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_NONE); // nothing goes on any more
}

static void harm_takes_it_back_all_the_same(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    run_send(&run, EVENT_VERSION);
    differ(&run);
    run_tick(&run, 250);
    assert_true(machine_may_roll_back(&run.machine));
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_NONE);

    struct rollout_plan plan = canary(); // bit by bit: the way down does not wait
    plan.rollback_over_ms = 10000;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    differ(&run);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 100);
    run_tick(&run, 10000);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void other_holds(void **state) {
    (void)state;
    static const struct {
        enum rollout_hold before, then;
    } cases[] = {
        {HOLD_PERSON, HOLD_PERSON},   {HOLD_BY_HAND, HOLD_BY_HAND},    {HOLD_SAMPLE_RATIO, HOLD_SAMPLE_RATIO},
        {HOLD_JOURNAL, HOLD_JOURNAL}, {HOLD_NO_DATA, HOLD_FLEET},      {HOLD_ERROR, HOLD_FLEET},
        {HOLD_SIGNAL, HOLD_FLEET},    {HOLD_INCONCLUSIVE, HOLD_FLEET},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run run;
        begin(&run, false, false);
        run_send(&run, EVENT_VERSION);
        run.machine.hold = cases[i].before;
        differ(&run);
        run_tick(&run, 1000000);
        AT(&run, ROLLOUT_STEP, 0, 100);
        assert_int_equal(run.machine.hold, cases[i].then);
    }
    struct run run;
    begin(&run, true, false); // a gate that said no is asked again by a person only
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_GATES_FAILED);
    differ(&run);
    run_tick(&run, 250);
    agree(&run);
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_GATE);
    differ(&run);
    run_send(&run, EVENT_RETRY);
    AT(&run, ROLLOUT_GATES, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    assert_false(run.outcome.acts & ACT_ASK_GATES);
}

static void a_signal_that_shows_harm_holds_when_the_fleet_agrees(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    agree(&run);
    run.judgement.signals = VERDICT_FAIL;
    run_tick(&run, 250);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_SIGNAL);
    run.judgement.signals = VERDICT_PASS;
    goes_on(&run);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void what_a_person_may_do(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, false);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_RESUME);
    assert_non_null(strstr(run.outcome.refused, "all members of the fleet"));
    run_send(&run, EVENT_PAUSE);
    assert_int_equal(run.machine.hold, HOLD_PERSON);
    run_send(&run, EVENT_RESUME); // is no leave to begin while they differ
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    assert_string_equal(run.outcome.because, "resumed: a person asked for it; held (fleet): " DIFFERS);
    run_send(&run, EVENT_PROMOTE); // is
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 1, 500);
    run_tick(&run, 250);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
}

static void the_journal_that_can_be_written_again(void **state) {
    (void)state;
    struct run run;
    begin(&run, false, true);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_JOURNAL_FAILED);
    differ(&run);
    run_send(&run, EVENT_JOURNAL_WORKS);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    assert_false(run.outcome.acts & ACT_ASK_HOOK);
    goes_on(&run);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
}

static void a_reload_leaves_it_held(void **state) {
    (void)state;
    struct run run;
    begin(&run, true, false);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    run.plan.gated = false;
    machine_adopt(&run.machine, &run.plan, "v2", true, &run.outcome);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    goes_on(&run);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void other_strategies(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_AB;
    plan.steps[0] = (struct rollout_step_plan){0};
    plan.step_count = 1;
    run_begin(&run, plan);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_HOOK, 0, 500);
    goes_on(&run);
    AT(&run, ROLLOUT_STEP, 0, 500);
    differ(&run);
    run.judgement.winner = 1;
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 0, 500); // no winner is named

    plan.strategy = ROLLOUT_BLUE_GREEN;
    plan.steps[0].weight = -1;
    plan.steps[1].weight = 10000;
    plan.step_count = 2;
    run_begin(&run, plan);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_PAUSED, 0, 0);
    assert_int_equal(run.machine.hold, HOLD_FLEET);
    goes_on(&run);
    AT(&run, ROLLOUT_PAUSED, 0, 0);

    plan.strategy = ROLLOUT_ROLLING; // no fleet has one
    run_begin(&run, plan);
    differ(&run);
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 250);
    assert_int_equal(run.machine.state, ROLLOUT_STEP);
    assert_int_equal(run.machine.hold, HOLD_NONE);
}

int test_machine_fleet(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_is_held),
        cmocka_unit_test(a_start_waits_before_gates_and_hooks),
        cmocka_unit_test(a_step_is_held_and_its_time_stands_still),
        cmocka_unit_test(a_pause_and_the_watch_are_held),
        cmocka_unit_test(harm_takes_it_back_all_the_same),
        cmocka_unit_test(other_holds),
        cmocka_unit_test(a_signal_that_shows_harm_holds_when_the_fleet_agrees),
        cmocka_unit_test(what_a_person_may_do),
        cmocka_unit_test(the_journal_that_can_be_written_again),
        cmocka_unit_test(a_reload_leaves_it_held),
        cmocka_unit_test(other_strategies),
    };
    return cmocka_run_group_tests_name("machine_fleet", tests, NULL, NULL);
}

// The machine: stories of one rollout each.
#include "machine_run.h"
#include "unit.h"

#include <string.h>

static void a_good_one_goes_all_the_way(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    AT(&run, ROLLOUT_IDLE, 0, 500); // the file's
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_int_equal(run.outcome.action, DECISION_START);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 59000);
    AT(&run, ROLLOUT_STEP, 0, 100); // not long enough
    run.judgement.step_requests = 99;
    run_tick(&run, 2000);
    AT(&run, ROLLOUT_STEP, 0, 100); // too few requests
    run.judgement.step_requests = 100;
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.outcome.action, DECISION_STEP);
    assert_true(run.outcome.acts & ACT_WEIGHTS);
    assert_false(run.outcome.acts & ACT_FRESH_EVIDENCE); // a change of weight is no other experiment
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_PAUSED, 2, 500); // nothing but a person passes it
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
    assert_true(run.outcome.acts & ACT_TELL_PROMOTE);
    run_tick(&run, 119000);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
    run_tick(&run, 1000);
    AT(&run, ROLLOUT_PROMOTED, 4, 10000);
    assert_true(run.machine.warm);
    run_tick(&run, 60000);
    assert_false(run.machine.warm);
    assert_int_equal(run.outcome.acts, ACT_COOL);
    // The same version does not start again, another does.
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_PROMOTED, 4, 10000);
    strcpy(run.machine.version, "v1");
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

// The last step before 100 % needs the full proof; one before another step only that of the step.
static void the_last_step_needs_more(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run.judgement.step = VERDICT_PASS;
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 1, 500);
    run_tick(&run, 61000);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    run.judgement.guards = VERDICT_PASS;
    run_tick(&run, 250);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
}

static void harm_takes_it_back_in_every_state(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    assert_int_equal(run.outcome.acts, ACT_WEIGHTS | ACT_TELL_ROLLBACK | ACT_STOP_ASKING);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PAUSE);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0); // a pause masks no guard

    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE_FULL);
    AT(&run, ROLLOUT_WATCH, 0, 10000);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 2, 0);
}

static void a_gradual_rollback_is_gradual(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.rollback_over_ms = 10000;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE_FULL);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 10000);
    run_tick(&run, 5000);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 5000);
    run_tick(&run, 4000);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 1000);
    run_tick(&run, 1000);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    // A person does not wait.
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void gates_and_hooks_come_first(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.gated = plan.hooked = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_GATES, 0, 0);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_GATES, 0, 0);
    run_send(&run, EVENT_GATES_FAILED);
    assert_int_equal(run.machine.hold, HOLD_GATE);
    assert_int_equal(run.outcome.action, DECISION_GATE);
    run_send(&run, EVENT_RETRY);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
    run_send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    run_send(&run, EVENT_HOOK_FAILED);
    assert_int_equal(run.machine.hold, HOLD_HOOK);
    run_tick(&run, 29000);
    assert_false(run.outcome.acts & ACT_ASK_HOOK);
    run_tick(&run, 1000);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100); // the weight of the step before, while the hook thinks
    // What passes while a person has paused is asked again when he resumes.
    run_send(&run, EVENT_PAUSE);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    run_send(&run, EVENT_RESUME);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    run_send(&run, EVENT_HOOK_PASSED); // too late
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
}

static void missing_data_holds_and_is_told(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_NO_DATA);
    run_tick(&run, 29000);
    assert_int_equal(run.outcome.action, DECISION_NONE);
    run_tick(&run, 1000);
    assert_int_equal(run.outcome.action, DECISION_HOLD);
    assert_int_equal(run.machine.hold, HOLD_NO_DATA);
    run_tick(&run, 100000);
    assert_int_equal(run.outcome.action, DECISION_NONE); // told once
    run_say(&run, VERDICT_WAIT);
    run_tick(&run, 250);
    assert_int_equal(run.outcome.action, DECISION_RELEASE);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    run.judgement.signals = VERDICT_FAIL;
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_SIGNAL);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void evidence_that_does_not_come(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 659000);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    run_tick(&run, 1000);
    assert_int_equal(run.machine.hold, HOLD_INCONCLUSIVE);
    run_say(&run, VERDICT_PASS); // it came after all
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.machine.hold, HOLD_NONE);

    struct rollout_plan plan = canary();
    plan.inconclusive = INCONCLUSIVE_ROLLBACK;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 660000);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    plan.inconclusive = INCONCLUSIVE_PROMOTE;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_NO_DATA);
    run_tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 0, 100); // no data never promotes
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_broken_sample_ratio_freezes(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run.judgement.sample_ratio_broken = true;
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 0, 100); // no verdict counts
    assert_int_equal(run.machine.hold, HOLD_SAMPLE_RATIO);
    run.judgement.sample_ratio_broken = false;
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_SAMPLE_RATIO);
    run_send(&run, EVENT_RESUME);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void weights_by_hand_stay(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run.weights[0] = 7000;
    run.weights[1] = 3000;
    run_send(&run, EVENT_WEIGHTS);
    AT(&run, ROLLOUT_STEP, 0, 3000);
    assert_int_equal(run.machine.hold, HOLD_BY_HAND);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 3000);
    assert_false(machine_may_roll_back(&run.machine));
    run_send(&run, EVENT_RESUME);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void one_switch_back_while_warm(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE); // step 1
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE); // else the evidence of before would end it at once
    run_send(&run, EVENT_ROLLBACK);
    run_tick(&run, 60000);
    run_send(&run, EVENT_PROMOTE);
    assert_non_null(run.outcome.refused);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    run_send(&run, EVENT_RETRY);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void blue_green_switches_at_once(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_BLUE_GREEN;
    memset(plan.steps, 0, sizeof plan.steps);
    plan.steps[0].weight = -1;
    plan.steps[1].weight = 10000;
    plan.step_count = 2;
    plan.gated = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_GATES, 0, 0);
    run_send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_PAUSED, 0, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_WATCH, 1, 10000);
    run_tick(&run, 120000);
    AT(&run, ROLLOUT_PROMOTED, 1, 10000);
    run_send(&run, EVENT_ROLLBACK); // one command takes it back …
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    run_send(&run, EVENT_PROMOTE); // … and one forth
    AT(&run, ROLLOUT_WATCH, 1, 10000);
}

static void an_ab_test_ends_by_a_winner(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_AB;
    plan.steps[0] = (struct rollout_step_plan){0};
    plan.step_count = 1;
    plan.file_weights[0] = plan.file_weights[1] = 5000;
    plan.max_duration_ms = 100000;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 50000);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    run_tick(&run, 50000);
    AT(&run, ROLLOUT_STOPPED, 0, 5000);
    assert_int_equal(run.outcome.action, DECISION_STOP);
    run_send(&run, EVENT_RETRY);
    run.judgement.winner = 0;
    plan.on_winner = ON_WINNER_HOLD;
    run.plan = plan;
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STOPPED, 0, 5000);
    assert_int_equal(run.outcome.action,
                     run.plan.on_winner == ON_WINNER_HOLD ? DECISION_WINNER : DECISION_NONE);
    assert_int_equal(run.machine.winner, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0); // the baseline won
}

static void rolling_goes_batch_by_batch(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_ROLLING;
    plan.variant_count = 1;
    plan.candidate = 0;
    plan.file_weights[0] = 10000;
    plan.file_weights[1] = 0;
    memset(plan.steps, 0, sizeof plan.steps);
    plan.step_count = 3;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    assert_true(run.outcome.acts & ACT_BATCH);
    AT(&run, ROLLOUT_STEP, 0, 0);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 0);
    run_send(&run, EVENT_BATCH_DONE);
    run_send(&run, EVENT_BATCH_DONE);
    AT(&run, ROLLOUT_STEP, 2, 0);
    struct run other = run;
    run_send(&run, EVENT_BATCH_FAILED);
    AT(&run, ROLLOUT_STOPPED, 2, 0);
    run_send(&other, EVENT_BATCH_DONE);
    AT(&other, ROLLOUT_PROMOTED, 2, 0);
}

static void a_changed_configuration(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 1, 500);
    struct rollout_plan edited = canary();
    edited.file_weights[0] = 5000;
    edited.file_weights[1] = 5000;
    struct machine machine = run.machine;
    machine_adopt(&machine, &edited, "v2", true, &run.outcome);
    assert_int_equal(machine.state, ROLLOUT_STEP); // the file's weights do not matter while it runs
    assert_int_equal(machine.weights[1], 500);
    assert_int_equal(run.outcome.action, DECISION_NONE);
    edited.step_count = 1;
    machine_adopt(&machine, &edited, "v2", true, &run.outcome);
    assert_int_equal(machine.step, 0);
    assert_int_equal(machine.weights[1], 500);
    machine = run.machine;
    machine_adopt(&machine, &edited, "v3", true, &run.outcome);
    assert_int_equal(machine.state, ROLLOUT_IDLE);
    assert_int_equal(machine.weights[1], 5000);
    assert_string_equal(machine.version, "v2"); // so that v3 is new
    machine = run.machine;
    machine_adopt(&machine, &edited, "v2", false, &run.outcome);
    assert_int_equal(machine.state, ROLLOUT_IDLE);
    assert_int_equal(run.outcome.action, DECISION_STOP);
}

static void an_unwritable_journal_holds_but_harm_still_ends_it(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_JOURNAL_FAILED);
    assert_int_equal(run.machine.hold, HOLD_JOURNAL);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_send(&run, EVENT_JOURNAL_WORKS);
    assert_int_equal(run.outcome.action, DECISION_RELEASE);
    run_send(&run, EVENT_JOURNAL_FAILED);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

int test_machine(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_goes_all_the_way),
        cmocka_unit_test(the_last_step_needs_more),
        cmocka_unit_test(harm_takes_it_back_in_every_state),
        cmocka_unit_test(a_gradual_rollback_is_gradual),
        cmocka_unit_test(gates_and_hooks_come_first),
        cmocka_unit_test(missing_data_holds_and_is_told),
        cmocka_unit_test(evidence_that_does_not_come),
        cmocka_unit_test(a_broken_sample_ratio_freezes),
        cmocka_unit_test(weights_by_hand_stay),
        cmocka_unit_test(one_switch_back_while_warm),
        cmocka_unit_test(blue_green_switches_at_once),
        cmocka_unit_test(an_ab_test_ends_by_a_winner),
        cmocka_unit_test(rolling_goes_batch_by_batch),
        cmocka_unit_test(a_changed_configuration),
        cmocka_unit_test(an_unwritable_journal_holds_but_harm_still_ends_it),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}

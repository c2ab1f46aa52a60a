// The machine: one switch back, and what a person's command means where the obvious is wrong.
#include "machine_run.h"
#include "unit.h"

#include <string.h>

static struct rollout_plan ab(void) {
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_AB;
    memset(plan.steps, 0, sizeof plan.steps);
    plan.step_count = 1;
    plan.file_weights[0] = plan.file_weights[1] = 5000;
    return plan;
}

// The variant that is not on trial.
static struct rollout_plan with_third(void) {
    struct rollout_plan plan = canary();
    plan.variant_count = 3;
    plan.file_weights[0] = 8500;
    plan.file_weights[1] = 500;
    plan.file_weights[2] = 1000;
    return plan;
}

static void back_to_a_pause_still_waits(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 2, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    assert_int_equal(run.outcome.action, DECISION_PROMOTE);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
}

static void back_to_a_hook_asks_it(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.hooked = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_HOOK_PASSED);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    run_send(&run, EVENT_ROLLBACK);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void back_to_the_gates_asks_them(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.gated = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_ROLLBACK);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_GATES, 0, 0);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
}

static void back_to_everything(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE_FULL); // from the first step
    run_tick(&run, 250);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_WATCH, 0, 10000);
}

static void back_to_a_test(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, ab());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
}

// Another rollback on the way down does not forget where it came from.
static void back_after_a_gradual_rollback(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.rollback_over_ms = 10000;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE);
    run_say(&run, VERDICT_FAIL);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLING_BACK, 1, 500);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void others_keep_what_the_file_gives_them(void **state) {
    (void)state;
    for (int gradual = 0; gradual < 2; gradual++) {
        struct run run;
        struct rollout_plan plan = with_third();
        plan.rollback_over_ms = gradual ? 1000 : 0;
        run_begin(&run, plan);
        run_send(&run, EVENT_VERSION);
        assert_int_equal(run.machine.weights[2], 1000);
        run_send(&run, EVENT_PROMOTE_FULL);
        run_say(&run, VERDICT_FAIL);
        run_tick(&run, 250);
        run_tick(&run, 1000);
        assert_int_equal(run.machine.state, ROLLOUT_ROLLED_BACK);
        assert_int_equal(run.machine.weights[0], 9000);
        assert_int_equal(run.machine.weights[1], 0);
        assert_int_equal(run.machine.weights[2], 1000);
    }
}

static void a_rollback_before_anything_was_tried_lasts(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    AT(&run, ROLLOUT_IDLE, 0, 500);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    run_send(&run, EVENT_VERSION); // a reload comes
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    run_tick(&run, 1000000);
    run_send(&run, EVENT_PROMOTE); // there is nothing to go back to: it starts
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void traffic_by_hand_can_be_taken_back(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_ROLLBACK);
    run_send(&run, EVENT_ROLLBACK);
    assert_non_null(run.outcome.refused);
    run.weights[0] = 7000;
    run.weights[1] = 3000;
    run_send(&run, EVENT_WEIGHTS);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 3000);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void everything_again_after_weights_by_hand(void **state) {
    (void)state;
    for (int watch = 0; watch < 2; watch++) {
        struct run run;
        struct rollout_plan plan = canary();
        plan.watch_ms = watch ? 120000 : 0;
        run_begin(&run, plan);
        run_send(&run, EVENT_VERSION);
        run_send(&run, EVENT_PROMOTE_FULL);
        run_send(&run, EVENT_PROMOTE_FULL);
        assert_non_null(run.outcome.refused);
        run.weights[0] = 9000;
        run.weights[1] = 1000;
        run_send(&run, EVENT_WEIGHTS);
        run_send(&run, EVENT_PROMOTE_FULL);
        AT(&run, watch ? ROLLOUT_WATCH : ROLLOUT_PROMOTED, 0, 10000);
        assert_int_equal(run.machine.hold, HOLD_NONE);
    }
}

static void a_late_rollback_says_so(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.watch_ms = 0;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PROMOTE_FULL);
    run_tick(&run, 60000);
    run_send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    assert_non_null(strstr(run.outcome.because, "cold"));
}

// Time under other weights is none of the step's.
static void the_step_begins_again_after_weights_by_hand(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run.weights[0] = 7000;
    run.weights[1] = 3000;
    run_send(&run, EVENT_WEIGHTS);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 100000);
    run_send(&run, EVENT_RESUME);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_true(run.outcome.acts & ACT_STEP_BEGINS);
    run_tick(&run, 59000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 1000);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_long_pause_is_no_lack_of_evidence(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_PAUSE);
    run_tick(&run, 5000000);
    run_send(&run, EVENT_RESUME);
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    run_tick(&run, 600000);
    assert_int_equal(run.machine.hold, HOLD_INCONCLUSIVE);
}

static void what_passes_by_itself_is_not_resumed(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, canary());
    run_send(&run, EVENT_VERSION);
    run_say(&run, VERDICT_NO_DATA);
    run_tick(&run, 30000);
    run_send(&run, EVENT_RESUME);
    assert_non_null(run.outcome.refused);
    assert_int_equal(run.machine.hold, HOLD_NO_DATA);
    run_send(&run, EVENT_PROMOTE); // a person may
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_signal_stops_at_the_hook_too(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.hooked = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_HOOK_PASSED);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    run.judgement.signals = VERDICT_FAIL;
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_SIGNAL);
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    run.judgement.signals = VERDICT_PASS;
    run_tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    assert_true(run.outcome.acts & ACT_ASK_HOOK); // what it said was of then
    run_send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void no_evidence_is_no_leave_to_ignore_a_signal(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.inconclusive = INCONCLUSIVE_PROMOTE;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run.judgement.signals = VERDICT_FAIL;
    run_tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void a_winner_waits_for_blind_guards(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = ab();
    plan.on_winner = ON_WINNER_PROMOTE;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run.judgement.winner = 1;
    run_say(&run, VERDICT_ERROR);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_WATCH, 0, 10000);
    run.weights[0] = 8000;
    run.weights[1] = 2000;
    run_send(&run, EVENT_WEIGHTS);
    run_send(&run, EVENT_RESUME); // the winner's again, not the test's
    AT(&run, ROLLOUT_WATCH, 0, 10000);
}

static void a_baseline_that_wins_keeps_everything(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = ab();
    plan.on_winner = ON_WINNER_PROMOTE;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run.judgement.winner = 0;
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    assert_int_equal(run.outcome.action, DECISION_WINNER);
    assert_true(run.outcome.acts & ACT_TELL_ROLLBACK);
    assert_false(run.outcome.acts & ACT_TELL_PROMOTE);
    run_send(&run, EVENT_PROMOTE_FULL); // a person may see it otherwise
    AT(&run, ROLLOUT_WATCH, 0, 10000);
}

int test_machine_back(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(back_to_a_pause_still_waits),
        cmocka_unit_test(back_to_a_hook_asks_it),
        cmocka_unit_test(back_to_the_gates_asks_them),
        cmocka_unit_test(back_to_everything),
        cmocka_unit_test(back_to_a_test),
        cmocka_unit_test(back_after_a_gradual_rollback),
        cmocka_unit_test(others_keep_what_the_file_gives_them),
        cmocka_unit_test(a_rollback_before_anything_was_tried_lasts),
        cmocka_unit_test(traffic_by_hand_can_be_taken_back),
        cmocka_unit_test(everything_again_after_weights_by_hand),
        cmocka_unit_test(a_late_rollback_says_so),
        cmocka_unit_test(the_step_begins_again_after_weights_by_hand),
        cmocka_unit_test(a_long_pause_is_no_lack_of_evidence),
        cmocka_unit_test(what_passes_by_itself_is_not_resumed),
        cmocka_unit_test(a_signal_stops_at_the_hook_too),
        cmocka_unit_test(no_evidence_is_no_leave_to_ignore_a_signal),
        cmocka_unit_test(a_winner_waits_for_blind_guards),
        cmocka_unit_test(a_baseline_that_wins_keeps_everything),
    };
    return cmocka_run_group_tests_name("machine_back", tests, NULL, NULL);
}

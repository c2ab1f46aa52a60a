// The machine: what an edited configuration does to a rollout under way.
#include "machine_run.h"
#include "unit.h"

#include <string.h>

// The steps of a list: a weight in basis points, -1 a pause; 0 ends it. All last a minute.
static struct rollout_plan with_steps(const int *weights) {
    struct rollout_plan plan = canary();
    plan.step_count = 0;
    memset(plan.steps, 0, sizeof plan.steps);
    for (; *weights; weights++)
        plan.steps[plan.step_count++] = (struct rollout_step_plan){*weights, *weights < 0 ? 0 : 60000, 0};
    return plan;
}
#define STEPS(...) with_steps((const int[]){__VA_ARGS__, 0})

static void adopt(struct run *run, struct rollout_plan plan) {
    run->plan = plan;
    machine_adopt(&run->machine, &run->plan, run->machine.version, true, &run->outcome);
}

// At the given step of the standard list 1, 5, pause, 25, 100.
static void stand(struct run *run, unsigned step, bool hooked) {
    struct rollout_plan plan = canary();
    plan.hooked = hooked;
    run_begin(run, plan);
    run_send(run, EVENT_VERSION);
    if (hooked)
        run_send(run, EVENT_HOOK_PASSED);
    while (run->machine.step < step) {
        run_send(run, EVENT_PROMOTE);
        if (run->machine.state == ROLLOUT_HOOK && run->machine.step < step)
            run_send(run, EVENT_HOOK_PASSED);
    }
}

static void a_step_is_found_by_its_weight(void **state) {
    (void)state;
    struct run run;
    stand(&run, 1, false);
    adopt(&run, STEPS(100, 200, 500, 1000, 10000)); // one came before it
    AT(&run, ROLLOUT_STEP, 2, 500);
    assert_int_equal(run.outcome.action, DECISION_NONE);
    adopt(&run, STEPS(500, 1000, 10000)); // two have gone
    AT(&run, ROLLOUT_STEP, 0, 500);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_STEP, 1, 1000);
    adopt(&run, STEPS(100, 700, -1, 1500, 10000)); // its weight has gone: behind the last that has less
    AT(&run, ROLLOUT_STEP, 1, 1000);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_PAUSED, 2, 1000); // no pause is passed over
}

static void a_list_that_begins_higher_is_entered_by_evidence(void **state) {
    (void)state;
    struct run run;
    stand(&run, 0, false);
    adopt(&run, STEPS(300, 1000, 10000));
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 0, 300);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_STEP, 1, 1000);
    stand(&run, 0, false);
    adopt(&run, STEPS(10000)); // everything needs the full proof
    run.judgement.step = VERDICT_PASS;
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_WATCH, 0, 10000);
    stand(&run, 0, false);
    adopt(&run, STEPS(-1, 1000, 10000));
    AT(&run, ROLLOUT_PAUSED, 0, 100);
}

// A restart changes nothing.
static void a_hook_before_everything_is_asked_again(void **state) {
    (void)state;
    struct run run;
    stand(&run, 3, true);
    run_send(&run, EVENT_HOOK_PASSED);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 4, 2500);
    adopt(&run, run.plan);
    AT(&run, ROLLOUT_HOOK, 4, 2500);
    assert_int_equal(run.outcome.action, DECISION_NONE);
}

static void a_hook_before_what_became_everything(void **state) {
    (void)state;
    struct run run;
    stand(&run, 0, true);
    run_say(&run, VERDICT_WAIT);
    run.judgement.step = VERDICT_PASS; // enough for a step
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    struct rollout_plan plan = STEPS(100, 10000);
    plan.hooked = true;
    adopt(&run, plan);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_HOOK, 1, 100);
}

static void a_pause_stays_a_pause(void **state) {
    (void)state;
    struct run run;
    stand(&run, 2, false);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    adopt(&run, STEPS(500, -1, 2500, 10000));
    AT(&run, ROLLOUT_PAUSED, 1, 500);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 1000000);
    AT(&run, ROLLOUT_PAUSED, 1, 500);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 2, 2500);
}

static void a_pause_that_has_gone(void **state) {
    (void)state;
    struct run run;
    stand(&run, 2, false);
    adopt(&run, STEPS(100, 500, 2500, 10000));
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.outcome.action, DECISION_STEP);
    run_tick(&run, 60000); // evidence is still needed …
    AT(&run, ROLLOUT_STEP, 1, 500);
    run_say(&run, VERDICT_PASS); // … its time is not
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 2, 2500);
}

static void a_step_came_before_the_pause(void **state) {
    (void)state;
    struct run run;
    stand(&run, 2, false);
    adopt(&run, STEPS(100, 500, 800, -1, 10000));
    AT(&run, ROLLOUT_STEP, 1, 500);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 2, 800);
    run_tick(&run, 60000);
    AT(&run, ROLLOUT_PAUSED, 3, 800);
}

static void a_hook_that_has_gone_holds_nothing(void **state) {
    (void)state;
    struct run run;
    stand(&run, 0, true);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    run_send(&run, EVENT_HOOK_FAILED);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    struct rollout_plan plan = canary();
    adopt(&run, plan);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.machine.hold, HOLD_NONE);
}

static void a_hook_that_has_gone_while_paused(void **state) {
    (void)state;
    struct run run;
    stand(&run, 0, true);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    run_send(&run, EVENT_PAUSE);
    adopt(&run, canary());
    run_tick(&run, 61000);
    assert_int_equal(run.machine.weights[1], 100);
    run_send(&run, EVENT_RESUME);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_hook_waits_for_the_step_of_the_new_list(void **state) {
    (void)state;
    struct run run;
    stand(&run, 0, true);
    run_say(&run, VERDICT_PASS);
    run_tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    struct rollout_plan plan = STEPS(100, -1, 2500, 10000);
    plan.hooked = true;
    adopt(&run, plan);
    AT(&run, ROLLOUT_PAUSED, 1, 100); // a pause came
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_HOOK, 2, 100);
    adopt(&run, plan);
    AT(&run, ROLLOUT_HOOK, 2, 100); // the pause is not passed twice
}

static void gates_that_have_gone(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.gated = true;
    run_begin(&run, plan);
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_GATES_FAILED);
    assert_int_equal(run.machine.hold, HOLD_GATE);
    plan.gated = false;
    adopt(&run, plan);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void weights_by_hand_stay_over_a_reload(void **state) {
    (void)state;
    struct run run;
    stand(&run, 1, false);
    run.weights[0] = 7000;
    run.weights[1] = 3000;
    run_send(&run, EVENT_WEIGHTS);
    adopt(&run, STEPS(800, -1, 2500, 10000));
    assert_int_equal(run.machine.weights[1], 3000);
    run_send(&run, EVENT_RESUME);
    AT(&run, ROLLOUT_STEP, 0, 500); // what was reached by evidence, not what a person set
}

static void a_switch_back_after_an_edit(void **state) {
    (void)state;
    struct run run;
    stand(&run, 2, false);
    run_send(&run, EVENT_ROLLBACK);
    adopt(&run, STEPS(200, 500, 700, -1, 10000));
    AT(&run, ROLLOUT_ROLLED_BACK, 2, 0);
    run_send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static struct rollout_plan rolling(unsigned batches, uint64_t members) {
    struct rollout_plan plan = canary();
    plan.strategy = ROLLOUT_ROLLING;
    plan.variant_count = 1;
    plan.candidate = 0;
    plan.file_weights[0] = 10000;
    plan.file_weights[1] = 0;
    memset(plan.steps, 0, sizeof plan.steps);
    plan.step_count = batches;
    plan.members = members;
    return plan;
}

static void other_endpoints_stop_an_update(void **state) {
    (void)state;
    struct run run;
    run_begin(&run, rolling(3, 1));
    run_send(&run, EVENT_VERSION);
    run_send(&run, EVENT_BATCH_DONE);
    adopt(&run, rolling(3, 1));
    assert_int_equal(run.machine.state, ROLLOUT_STEP);
    assert_int_equal(run.machine.step, 1);
    adopt(&run, rolling(2, 2)); // which of them are done is not known any more
    assert_int_equal(run.machine.state, ROLLOUT_STOPPED);
    assert_int_equal(run.outcome.action, DECISION_STOP);
    run_send(&run, EVENT_RETRY);
    assert_int_equal(run.machine.state, ROLLOUT_STEP);
    assert_int_equal(run.machine.step, 0);
}

int test_machine_adopt(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_found_by_its_weight),
        cmocka_unit_test(a_list_that_begins_higher_is_entered_by_evidence),
        cmocka_unit_test(a_hook_before_everything_is_asked_again),
        cmocka_unit_test(a_hook_before_what_became_everything),
        cmocka_unit_test(a_pause_stays_a_pause),
        cmocka_unit_test(a_pause_that_has_gone),
        cmocka_unit_test(a_step_came_before_the_pause),
        cmocka_unit_test(a_hook_that_has_gone_holds_nothing),
        cmocka_unit_test(a_hook_that_has_gone_while_paused),
        cmocka_unit_test(a_hook_waits_for_the_step_of_the_new_list),
        cmocka_unit_test(gates_that_have_gone),
        cmocka_unit_test(weights_by_hand_stay_over_a_reload),
        cmocka_unit_test(a_switch_back_after_an_edit),
        cmocka_unit_test(other_endpoints_stop_an_update),
    };
    return cmocka_run_group_tests_name("machine_adopt", tests, NULL, NULL);
}

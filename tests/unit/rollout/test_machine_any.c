// What must hold of the machine after any sequence of events.
#include "base/random.h"
#include "machine_run.h"
#include "unit.h"

#include <string.h>

static bool by_person(enum rollout_event_kind kind) {
    return kind >= EVENT_PROMOTE;
}

static void check_move(const struct run *run, const struct machine *before, enum rollout_event_kind kind) {
    const struct machine *now = &run->machine;
    unsigned sum = 0;
    for (int i = 0; i < SPLIT_ARMS; i++)
        sum += now->weights[i];
    assert_int_equal(sum, 10000);
    assert_true(now->step < run->plan.step_count);
    assert_true((unsigned)now->state < ROLLOUT_STATES && (unsigned)now->hold < ROLLOUT_HOLDS);
    if (run->outcome.refused) {
        assert_true(by_person(kind));
        assert_memory_equal(now, before, sizeof *now);
    }
    bool weights_changed = memcmp(now->weights, before->weights, sizeof now->weights) != 0;
    if (weights_changed)
        assert_true(run->outcome.acts & ACT_WEIGHTS);
    if (now->state != before->state && now->state != ROLLOUT_ROLLED_BACK)
        assert_true(run->outcome.action != DECISION_NONE || kind == EVENT_VERSION);
    if (run->outcome.action != DECISION_NONE)
        assert_true(run->outcome.because[0]);
    if (!rollout_state_running(now->state) && now->hold != HOLD_NONE)
        fail_msg("held in %s", rollout_state_name(now->state));
    bool judged = rollout_state_judged(before->state);
    // Harm ends it, whatever else there is.
    if (kind == EVENT_TICK && judged && machine_may_roll_back(before) &&
        !run->judgement.sample_ratio_broken && run->judgement.guards == VERDICT_FAIL)
        assert_int_equal(now->weights[1], 0);
    // More traffic only by a person, by a gate or hook that passed, by a start, or by evidence and time in a
    // step.
    if (now->weights[1] > before->weights[1] && !by_person(kind) && kind != EVENT_VERSION) {
        if (kind == EVENT_TICK) {
            assert_int_equal(before->state, ROLLOUT_STEP);
            assert_int_equal(run->judgement.step, VERDICT_PASS);
            assert_true(before->state_ms + 100000 >= run->plan.steps[before->step].duration_ms);
            assert_true(run->judgement.step_requests >= run->plan.steps[before->step].min_requests);
            assert_true(now->step <= before->step + 1);
            assert_true(before->hold == HOLD_NONE || before->hold == HOLD_INCONCLUSIVE ||
                        before->hold == HOLD_NO_DATA || before->hold == HOLD_ERROR ||
                        before->hold == HOLD_SIGNAL);
        } else {
            assert_true((kind == EVENT_GATES_PASSED && before->state == ROLLOUT_GATES) ||
                        (kind == EVENT_HOOK_PASSED && before->state == ROLLOUT_HOOK));
        }
    }
    // A pause is passed by a person only, a gate by its outcome or a person.
    if (before->state == ROLLOUT_PAUSED &&
        (now->state == ROLLOUT_STEP || now->state == ROLLOUT_HOOK || now->state == ROLLOUT_WATCH))
        assert_true(by_person(kind) || kind == EVENT_VERSION);
    // What a person set by hand is only changed by a person or by another version.
    if (before->hold == HOLD_BY_HAND && !by_person(kind) && kind != EVENT_VERSION)
        assert_false(weights_changed);
}

static void whatever_happens(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 4711);
    for (int story = 0; story < 400; story++) {
        struct run run;
        struct rollout_plan plan = canary();
        plan.gated = story & 1;
        plan.hooked = story & 2;
        plan.rollback_over_ms = 0;
        plan.watch_ms = story & 4 ? 0 : 120000;
        run_begin(&run, plan);
        for (int i = 0; i < 600; i++) {
            struct machine before = run.machine;
            enum rollout_event_kind kind =
                random_below(&random, 3) ? EVENT_TICK
                                         : (enum rollout_event_kind)random_below(&random, ROLLOUT_EVENTS);
            run.judgement.guards =
                (enum verdict)random_below(&random, random_below(&random, 20) ? VERDICT_FAIL : VERDICTS);
            run.judgement.step = run.judgement.guards == VERDICT_WAIT && random_below(&random, 2)
                                     ? VERDICT_PASS
                                     : run.judgement.guards;
            run.judgement.signals = random_below(&random, 10) ? VERDICT_PASS : VERDICT_FAIL;
            run.judgement.sample_ratio_broken = random_below(&random, 200) == 0;
            run.judgement.step_requests = random_below(&random, 300);
            run.weights[1] = (uint16_t)random_below(&random, 10001);
            run.weights[0] = (uint16_t)(10000 - run.weights[1]);
            if (kind == EVENT_TICK)
                run_tick(&run, (int64_t)random_below(&random, 100000));
            else
                run_send(&run, kind);
            check_move(&run, &before, kind);
        }
    }
}

int test_machine_any(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_happens)};
    return cmocka_run_group_tests_name("machine_any", tests, NULL, NULL);
}

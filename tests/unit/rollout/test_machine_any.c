// What must hold of the machine after any sequence of events and of reloads, with every strategy.
#include "base/random.h"
#include "machine_run.h"
#include "unit.h"

#include <string.h>

#define ADOPTED ROLLOUT_EVENTS // what happened was a reload

static bool by_person(int kind) {
    return kind >= EVENT_PROMOTE && kind != ADOPTED;
}

static bool weighs(const struct run *run) {
    return run->plan.strategy == ROLLOUT_CANARY || run->plan.strategy == ROLLOUT_BLUE_GREEN;
}

static void check_shape(const struct run *run, const struct machine *before, int kind) {
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
    if (memcmp(now->weights, before->weights, sizeof now->weights) != 0)
        assert_true(run->outcome.acts & ACT_WEIGHTS);
    if (now->state != before->state && now->state != ROLLOUT_ROLLED_BACK && kind != ADOPTED)
        assert_true(run->outcome.action != DECISION_NONE || kind == EVENT_VERSION);
    if (run->outcome.action != DECISION_NONE)
        assert_true(run->outcome.because[0]);
    if (!rollout_state_running(now->state) && now->hold != HOLD_NONE)
        fail_msg("held in %s", rollout_state_name(now->state));
    // Where the list of steps says where it stands, it stands there.
    bool pause = weighs(run) && run->plan.steps[now->step].weight < 0;
    bool fits = now->state == ROLLOUT_PAUSED
                    ? pause || !weighs(run)
                    : !pause || (now->state != ROLLOUT_STEP && now->state != ROLLOUT_HOOK);
    if (!fits)
        fail_msg("event %d in %s at step %u, hold %s, reached %u: %s at step %u of %u", kind,
                 rollout_state_name(before->state), before->step, rollout_hold_name(before->hold),
                 before->reached, rollout_state_name(now->state), now->step, run->plan.step_count);
    if (now->state == ROLLOUT_HOOK && now->hold == HOLD_NONE && !run->plan.hooked)
        fail_msg("nobody is asked");
}

// More traffic only by a person, by a gate or hook that passed, by a start, or by evidence and time in a
// step.
static void check_more(const struct run *run, const struct machine *before, int kind) {
    const struct machine *now = &run->machine;
    if (now->weights[1] <= before->weights[1] || by_person(kind) || kind == EVENT_VERSION)
        return;
    if (kind == ADOPTED) { // another version; or the new list's next step, past no pause and no other step
        if (now->state == ROLLOUT_IDLE)
            return;
        assert_true(before->state == ROLLOUT_HOOK || before->state == ROLLOUT_GATES ||
                    (before->state == ROLLOUT_PAUSED && before->reached == 0));
        if (now->state != ROLLOUT_STEP) // everything
            assert_int_equal(before->reached, 0);
        for (unsigned i = 0; i < now->step; i++)
            assert_true(run->plan.steps[i].weight <= before->reached);
    } else if (kind == EVENT_TICK) {
        assert_true(before->state == ROLLOUT_STEP || before->hold != HOLD_NONE);
        if (run->plan.strategy == ROLLOUT_AB && before->state != ROLLOUT_HOOK) {
            assert_true(run->judgement.winner >= 0);
            assert_true(run->judgement.guards == VERDICT_PASS || run->judgement.guards == VERDICT_WAIT);
        } else if (before->state == ROLLOUT_STEP) {
            const struct rollout_step_plan *step = &run->plan.steps[before->step];
            bool proven =
                run->judgement.step == VERDICT_PASS && run->judgement.step_requests >= step->min_requests;
            bool timed_out = run->plan.inconclusive == INCONCLUSIVE_PROMOTE &&
                             before->state_ms + 100000 >= step->duration_ms + run->plan.step_timeout_ms &&
                             run->judgement.guards <= VERDICT_WAIT;
            assert_true(proven || timed_out);
            assert_true(before->state_ms + 100000 >= step->duration_ms);
            assert_true(now->step <= before->step + 1);
        }
        assert_false(run->judgement.signals == VERDICT_FAIL);
        assert_true(before->hold == HOLD_NONE || before->hold == HOLD_INCONCLUSIVE ||
                    before->hold == HOLD_NO_DATA || before->hold == HOLD_ERROR ||
                    before->hold == HOLD_SIGNAL || before->hold == HOLD_FLEET);
        assert_true(!run->judgement.fleet_differs || run->plan.strategy == ROLLOUT_ROLLING);
    } else {
        assert_true((kind == EVENT_GATES_PASSED && before->state == ROLLOUT_GATES) ||
                    (kind == EVENT_HOOK_PASSED && before->state == ROLLOUT_HOOK) ||
                    (kind == EVENT_JOURNAL_WORKS && before->hold == HOLD_JOURNAL));
    }
}

static void check_move(const struct run *run, const struct machine *before, int kind) {
    const struct machine *now = &run->machine;
    bool weights_changed = memcmp(now->weights, before->weights, sizeof now->weights) != 0;
    check_shape(run, before, kind);
    check_more(run, before, kind);
    // Harm ends it, whatever else there is.
    if (kind == EVENT_TICK && run->plan.strategy != ROLLOUT_ROLLING && machine_may_roll_back(before) &&
        !run->judgement.sample_ratio_broken && run->judgement.guards == VERDICT_FAIL) {
        if (run->plan.rollback_over_ms && weighs(run) && before->weights[1])
            assert_int_equal(now->state, ROLLOUT_ROLLING_BACK);
        else
            assert_int_equal(now->weights[1], 0);
    }
    // While the fleet differs nothing goes on by itself.
    if (kind == EVENT_TICK && run->plan.strategy != ROLLOUT_ROLLING && run->judgement.fleet_differs &&
        rollout_state_running(before->state)) {
        assert_true(now->state == before->state || now->state == ROLLOUT_ROLLED_BACK ||
                    now->state == ROLLOUT_ROLLING_BACK);
        assert_int_equal(now->step, before->step);
        if (rollout_state_running(now->state) && now->state != ROLLOUT_ROLLING_BACK)
            assert_int_not_equal(now->hold, HOLD_NONE);
    }
    // On the way down there is no way up but a person's.
    if (before->state == ROLLOUT_ROLLING_BACK && !by_person(kind) && now->state != ROLLOUT_IDLE &&
        kind != EVENT_VERSION)
        assert_true(now->weights[1] <= before->weights[1]);
    // A pause is passed by a person only, or goes from the file.
    if (before->state == ROLLOUT_PAUSED &&
        (now->state == ROLLOUT_STEP || now->state == ROLLOUT_HOOK || now->state == ROLLOUT_WATCH))
        assert_true(by_person(kind) || kind == EVENT_VERSION || kind == ADOPTED);
    // What a person set by hand is only changed by a person or by another version.
    if (before->hold == HOLD_BY_HAND && !by_person(kind) && kind != EVENT_VERSION &&
        now->state != ROLLOUT_IDLE)
        assert_false(weights_changed);
    // A rolling update has no weights.
    if (run->plan.strategy == ROLLOUT_ROLLING && !by_person(kind) && kind != EVENT_VERSION &&
        now->state != ROLLOUT_IDLE)
        assert_false(weights_changed);
    if (run->plan.strategy == ROLLOUT_ROLLING && now->state == ROLLOUT_STEP &&
        (before->state != ROLLOUT_STEP || before->step != now->step) && kind != ADOPTED)
        assert_true(run->outcome.acts & ACT_BATCH);
}

static void draw_steps(struct random_state *random, struct rollout_plan *plan) {
    int64_t weight = 0;
    plan->step_count = 0;
    memset(plan->steps, 0, sizeof plan->steps);
    for (uint64_t i = 0, count = 1 + random_below(random, 6); i < count; i++) {
        struct rollout_step_plan *step = &plan->steps[plan->step_count++];
        weight += 1 + (int64_t)random_below(random, 1500);
        bool pause = random_below(random, 3) == 0;
        *step = (struct rollout_step_plan){pause ? -1 : weight, pause ? 0 : 60000,
                                           pause ? 0 : random_below(random, 200)};
    }
    if (random_below(random, 2))
        plan->steps[plan->step_count++].weight = 10000;
}

static struct rollout_plan draw_plan(struct random_state *random, enum rollout_strategy strategy) {
    struct rollout_plan plan = canary();
    plan.strategy = strategy;
    plan.gated = random_below(random, 2);
    plan.hooked = random_below(random, 2);
    plan.rollback_over_ms = random_below(random, 2) ? 200000 : 0;
    plan.watch_ms = random_below(random, 2) ? 120000 : 0;
    plan.keep_warm_ms = random_below(random, 4) ? 60000 : 0;
    plan.inconclusive = (enum inconclusive)random_below(random, 3);
    plan.step_timeout_ms = random_below(random, 2) ? 600000 : 60000;
    plan.on_winner = (enum on_winner)random_below(random, 2);
    draw_steps(random, &plan);
    if (strategy == ROLLOUT_BLUE_GREEN) {
        memset(plan.steps, 0, sizeof plan.steps);
        plan.steps[0].weight = random_below(random, 2) ? -1 : 10000;
        plan.steps[1].weight = 10000;
        plan.step_count = plan.steps[0].weight < 0 ? 2 : 1;
    } else if (strategy == ROLLOUT_AB) {
        memset(plan.steps, 0, sizeof plan.steps);
        plan.step_count = 1;
        plan.file_weights[0] = plan.file_weights[1] = 5000;
        plan.max_duration_ms = random_below(random, 2) ? 5000000 : 0;
    } else if (strategy == ROLLOUT_ROLLING) {
        memset(plan.steps, 0, sizeof plan.steps);
        plan.members = 1 + random_below(random, 6);
        plan.step_count = (unsigned)plan.members;
        plan.inconclusive = INCONCLUSIVE_HOLD;
        plan.rollback_over_ms = 0;
    }
    return plan;
}

static void draw_judgement(struct random_state *random, struct run *run) {
    run->judgement.guards =
        (enum verdict)random_below(random, random_below(random, 20) ? VERDICT_FAIL : VERDICTS);
    run->judgement.step = run->judgement.guards == VERDICT_WAIT && random_below(random, 2)
                              ? VERDICT_PASS
                              : run->judgement.guards;
    run->judgement.signals = random_below(random, 10) ? VERDICT_PASS : VERDICT_FAIL;
    run->judgement.sample_ratio_broken = random_below(random, 200) == 0;
    if (random_below(random, 20) == 0) // it lasts
        run->judgement.fleet_differs = run->judgement.fleet_differs ? NULL : "b differs";
    run->judgement.step_requests = random_below(random, 300);
    run->judgement.winner = -1;
    if (run->plan.strategy == ROLLOUT_AB && random_below(random, 40) == 0)
        run->judgement.winner = (int)random_below(random, 2);
    run->weights[1] = (uint16_t)random_below(random, 10001);
    run->weights[0] = (uint16_t)(10000 - run->weights[1]);
}

static int next_event(struct random_state *random, struct run *run) {
    if (random_below(random, 30) == 0) {
        enum rollout_strategy strategy = run->plan.strategy;
        run->plan = draw_plan(random, strategy);
        machine_adopt(&run->machine, &run->plan, random_below(random, 20) ? run->machine.version : "v3",
                      random_below(random, 40), &run->outcome);
        return ADOPTED;
    }
    enum rollout_event_kind kind =
        random_below(random, 3) ? EVENT_TICK : (enum rollout_event_kind)random_below(random, ROLLOUT_EVENTS);
    if (kind == EVENT_TICK)
        run_tick(run, (int64_t)random_below(random, 100000));
    else
        run_send(run, kind);
    return (int)kind;
}

static void whatever_happens(void **state) {
    (void)state;
    struct random_state random;
    unsigned long seen[ROLLOUT_STATES] = {0}, holds[ROLLOUT_HOLDS] = {0};
    random_seed_fixed(&random, 4711);
    for (unsigned story = 0; story < 1600; story++) {
        struct run run;
        run_begin(&run, draw_plan(&random, (enum rollout_strategy)(story % 4)));
        for (int i = 0; i < 400; i++) {
            struct machine before = run.machine;
            draw_judgement(&random, &run);
            int kind = next_event(&random, &run);
            check_move(&run, &before, kind);
            seen[run.machine.state]++;
            holds[run.machine.hold]++;
        }
    }
    for (int i = 0; i < ROLLOUT_STATES; i++) // else the stories show nothing
        assert_true(seen[i] > 100);
    for (int i = 0; i < ROLLOUT_HOLDS; i++)
        if (holds[i] <= 100)
            fail_msg("held %lu times: %s", holds[i], rollout_hold_name((enum rollout_hold)i));
}

int test_machine_any(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_happens)};
    return cmocka_run_group_tests_name("machine_any", tests, NULL, NULL);
}

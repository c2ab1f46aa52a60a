// The machine: stories of one rollout each, and what must hold after any sequence of events.
#include "base/random.h"
#include "rollout/machine.h"
#include "unit.h"

#include <string.h>

static struct rollout_plan canary(void) {
    return (struct rollout_plan){
        .strategy = ROLLOUT_CANARY,
        .candidate = 1,
        .variant_count = 2,
        .steps = {{100, 60000, 100}, {500, 60000, 0}, {-1, 0, 0}, {2500, 60000, 0}, {10000, 0, 0}},
        .step_count = 5,
        .start_by_version = true,
        .step_timeout_ms = 600000,
        .keep_warm_ms = 60000,
        .watch_ms = 120000,
        .file_weights = {9500, 500},
    };
}

struct run {
    struct rollout_plan plan;
    struct machine machine;
    struct judgement judgement;
    struct rollout_outcome outcome;
    uint16_t weights[SPLIT_ARMS];
    bool gone_by_person;
};

static void begin(struct run *run, struct rollout_plan plan) {
    *run = (struct run){.plan = plan};
    run->judgement = (struct judgement){.guards = VERDICT_WAIT,
                                        .step = VERDICT_WAIT,
                                        .winner = -1,
                                        .step_requests = 1000,
                                        .because = "figures"};
    machine_init(&run->machine, &run->plan);
}

static enum rollout_state send(struct run *run, enum rollout_event_kind kind) {
    struct rollout_event event = {.kind = kind, .version = "v2", .weights = run->weights};
    machine_step(&run->machine, &run->plan, &event, &run->outcome);
    return run->machine.state;
}

static enum rollout_state tick(struct run *run, int64_t ms) {
    struct rollout_event event = {.kind = EVENT_TICK, .elapsed_ms = ms, .judgement = &run->judgement};
    machine_step(&run->machine, &run->plan, &event, &run->outcome);
    return run->machine.state;
}

static void say(struct run *run, enum verdict verdict) {
    run->judgement.guards = run->judgement.step = verdict;
}

#define AT(run, state_, step_, weight_)                               \
    do {                                                              \
        assert_int_equal((run)->machine.state, state_);               \
        assert_int_equal((run)->machine.step, step_);                 \
        assert_int_equal((run)->machine.weights[1], weight_);         \
        assert_int_equal((run)->machine.weights[0], 10000 - weight_); \
    } while (0)

static void a_good_one_goes_all_the_way(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    AT(&run, ROLLOUT_IDLE, 0, 500); // the file's
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_int_equal(run.outcome.action, DECISION_START);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
    say(&run, VERDICT_PASS);
    tick(&run, 59000);
    AT(&run, ROLLOUT_STEP, 0, 100); // not long enough
    run.judgement.step_requests = 99;
    tick(&run, 2000);
    AT(&run, ROLLOUT_STEP, 0, 100); // too few requests
    run.judgement.step_requests = 100;
    tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.outcome.action, DECISION_STEP);
    assert_true(run.outcome.acts & ACT_WEIGHTS);
    assert_false(run.outcome.acts & ACT_FRESH_EVIDENCE); // a change of weight is no other experiment
    tick(&run, 60000);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    tick(&run, 1000000);
    AT(&run, ROLLOUT_PAUSED, 2, 500); // nothing but a person passes it
    send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    tick(&run, 60000);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
    assert_true(run.outcome.acts & ACT_TELL_PROMOTE);
    tick(&run, 119000);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
    tick(&run, 1000);
    AT(&run, ROLLOUT_PROMOTED, 4, 10000);
    assert_true(run.machine.warm);
    tick(&run, 60000);
    assert_false(run.machine.warm);
    assert_int_equal(run.outcome.acts, ACT_COOL);
    // The same version does not start again, another does.
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_PROMOTED, 4, 10000);
    strcpy(run.machine.version, "v1");
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

// The last step before 100 % needs the full proof; one before another step only that of the step.
static void the_last_step_needs_more(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    run.judgement.step = VERDICT_PASS;
    tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 1, 500);
    tick(&run, 61000);
    send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    tick(&run, 61000);
    AT(&run, ROLLOUT_STEP, 3, 2500);
    run.judgement.guards = VERDICT_PASS;
    tick(&run, 250);
    AT(&run, ROLLOUT_WATCH, 4, 10000);
}

static void harm_takes_it_back_in_every_state(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    assert_int_equal(run.outcome.acts, ACT_WEIGHTS | ACT_TELL_ROLLBACK | ACT_STOP_ASKING);
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    begin(&run, canary());
    send(&run, EVENT_VERSION);
    send(&run, EVENT_PAUSE);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0); // a pause masks no guard

    begin(&run, canary());
    send(&run, EVENT_VERSION);
    send(&run, EVENT_PROMOTE_FULL);
    AT(&run, ROLLOUT_WATCH, 0, 10000);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    begin(&run, canary());
    send(&run, EVENT_VERSION);
    say(&run, VERDICT_PASS);
    tick(&run, 61000);
    tick(&run, 61000);
    AT(&run, ROLLOUT_PAUSED, 2, 500);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 2, 0);
}

static void a_gradual_rollback_is_gradual(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.rollback_over_ms = 10000;
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    send(&run, EVENT_PROMOTE_FULL);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 10000);
    tick(&run, 5000);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 5000);
    tick(&run, 4000);
    AT(&run, ROLLOUT_ROLLING_BACK, 0, 1000);
    tick(&run, 1000);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
    // A person does not wait.
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void gates_and_hooks_come_first(void **state) {
    (void)state;
    struct run run;
    struct rollout_plan plan = canary();
    plan.gated = plan.hooked = true;
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_GATES, 0, 0);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
    say(&run, VERDICT_PASS);
    tick(&run, 1000000);
    AT(&run, ROLLOUT_GATES, 0, 0);
    send(&run, EVENT_GATES_FAILED);
    assert_int_equal(run.machine.hold, HOLD_GATE);
    assert_int_equal(run.outcome.action, DECISION_GATE);
    send(&run, EVENT_RETRY);
    assert_true(run.outcome.acts & ACT_ASK_GATES);
    send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_HOOK, 0, 0);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    send(&run, EVENT_HOOK_FAILED);
    assert_int_equal(run.machine.hold, HOLD_HOOK);
    tick(&run, 29000);
    assert_false(run.outcome.acts & ACT_ASK_HOOK);
    tick(&run, 1000);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_STEP, 0, 100);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    tick(&run, 61000);
    AT(&run, ROLLOUT_HOOK, 1, 100); // the weight of the step before, while the hook thinks
    // What passes while a person has paused is asked again when he resumes.
    send(&run, EVENT_PAUSE);
    send(&run, EVENT_HOOK_PASSED);
    AT(&run, ROLLOUT_HOOK, 1, 100);
    send(&run, EVENT_RESUME);
    assert_true(run.outcome.acts & ACT_ASK_HOOK);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    send(&run, EVENT_HOOK_PASSED); // too late
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
}

static void missing_data_holds_and_is_told(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    say(&run, VERDICT_NO_DATA);
    tick(&run, 29000);
    assert_int_equal(run.outcome.action, DECISION_NONE);
    tick(&run, 1000);
    assert_int_equal(run.outcome.action, DECISION_HOLD);
    assert_int_equal(run.machine.hold, HOLD_NO_DATA);
    tick(&run, 100000);
    assert_int_equal(run.outcome.action, DECISION_NONE); // told once
    say(&run, VERDICT_WAIT);
    tick(&run, 250);
    assert_int_equal(run.outcome.action, DECISION_RELEASE);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    run.judgement.signals = VERDICT_FAIL;
    say(&run, VERDICT_PASS);
    tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_SIGNAL);
    tick(&run, 60000);
    AT(&run, ROLLOUT_STEP, 0, 100);
}

static void evidence_that_does_not_come(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    tick(&run, 659000);
    assert_int_equal(run.machine.hold, HOLD_NONE);
    tick(&run, 1000);
    assert_int_equal(run.machine.hold, HOLD_INCONCLUSIVE);
    say(&run, VERDICT_PASS); // it came after all
    tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_int_equal(run.machine.hold, HOLD_NONE);

    struct rollout_plan plan = canary();
    plan.inconclusive = INCONCLUSIVE_ROLLBACK;
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    tick(&run, 660000);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);

    plan.inconclusive = INCONCLUSIVE_PROMOTE;
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    say(&run, VERDICT_NO_DATA);
    tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 0, 100); // no data never promotes
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    tick(&run, 660000);
    AT(&run, ROLLOUT_STEP, 1, 500);
}

static void a_broken_sample_ratio_freezes(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    run.judgement.sample_ratio_broken = true;
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_STEP, 0, 100); // no verdict counts
    assert_int_equal(run.machine.hold, HOLD_SAMPLE_RATIO);
    run.judgement.sample_ratio_broken = false;
    tick(&run, 250);
    assert_int_equal(run.machine.hold, HOLD_SAMPLE_RATIO);
    send(&run, EVENT_RESUME);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void weights_by_hand_stay(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    run.weights[0] = 7000;
    run.weights[1] = 3000;
    send(&run, EVENT_WEIGHTS);
    AT(&run, ROLLOUT_STEP, 0, 3000);
    assert_int_equal(run.machine.hold, HOLD_BY_HAND);
    say(&run, VERDICT_FAIL);
    tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 3000);
    assert_false(machine_may_roll_back(&run.machine));
    send(&run, EVENT_RESUME);
    AT(&run, ROLLOUT_STEP, 0, 100);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

static void one_switch_back_while_warm(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    send(&run, EVENT_PROMOTE); // step 1
    send(&run, EVENT_ROLLBACK);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_STEP, 1, 500);
    assert_true(run.outcome.acts & ACT_FRESH_EVIDENCE); // else the evidence of before would end it at once
    send(&run, EVENT_ROLLBACK);
    tick(&run, 60000);
    send(&run, EVENT_PROMOTE);
    assert_non_null(run.outcome.refused);
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    send(&run, EVENT_RETRY);
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
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_GATES, 0, 0);
    send(&run, EVENT_GATES_PASSED);
    AT(&run, ROLLOUT_PAUSED, 0, 0);
    send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_WATCH, 1, 10000);
    tick(&run, 120000);
    AT(&run, ROLLOUT_PROMOTED, 1, 10000);
    send(&run, EVENT_ROLLBACK); // one command takes it back …
    AT(&run, ROLLOUT_ROLLED_BACK, 1, 0);
    send(&run, EVENT_PROMOTE); // … and one forth
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
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    say(&run, VERDICT_PASS);
    tick(&run, 50000);
    AT(&run, ROLLOUT_STEP, 0, 5000);
    tick(&run, 50000);
    AT(&run, ROLLOUT_STOPPED, 0, 5000);
    assert_int_equal(run.outcome.action, DECISION_STOP);
    send(&run, EVENT_RETRY);
    run.judgement.winner = 0;
    plan.on_winner = ON_WINNER_HOLD;
    run.plan = plan;
    tick(&run, 250);
    AT(&run, ROLLOUT_STOPPED, 0, 5000);
    assert_int_equal(run.outcome.action,
                     run.plan.on_winner == ON_WINNER_HOLD ? DECISION_WINNER : DECISION_NONE);
    assert_int_equal(run.machine.winner, 0);
    send(&run, EVENT_PROMOTE);
    AT(&run, ROLLOUT_WATCH, 0, 0); // the baseline won
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
    begin(&run, plan);
    send(&run, EVENT_VERSION);
    assert_true(run.outcome.acts & ACT_BATCH);
    AT(&run, ROLLOUT_STEP, 0, 0);
    say(&run, VERDICT_FAIL);
    tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 0);
    send(&run, EVENT_BATCH_DONE);
    send(&run, EVENT_BATCH_DONE);
    AT(&run, ROLLOUT_STEP, 2, 0);
    struct run other = run;
    send(&run, EVENT_BATCH_FAILED);
    AT(&run, ROLLOUT_STOPPED, 2, 0);
    send(&other, EVENT_BATCH_DONE);
    AT(&other, ROLLOUT_PROMOTED, 2, 0);
}

static void a_changed_configuration(void **state) {
    (void)state;
    struct run run;
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    say(&run, VERDICT_PASS);
    tick(&run, 61000);
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
    begin(&run, canary());
    send(&run, EVENT_VERSION);
    send(&run, EVENT_JOURNAL_FAILED);
    assert_int_equal(run.machine.hold, HOLD_JOURNAL);
    say(&run, VERDICT_PASS);
    tick(&run, 100000);
    AT(&run, ROLLOUT_STEP, 0, 100);
    send(&run, EVENT_JOURNAL_WORKS);
    assert_int_equal(run.outcome.action, DECISION_RELEASE);
    send(&run, EVENT_JOURNAL_FAILED);
    say(&run, VERDICT_FAIL);
    tick(&run, 250);
    AT(&run, ROLLOUT_ROLLED_BACK, 0, 0);
}

// ---- any sequence of events

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
        begin(&run, plan);
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
                tick(&run, (int64_t)random_below(&random, 100000));
            else
                send(&run, kind);
            check_move(&run, &before, kind);
        }
    }
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
        cmocka_unit_test(whatever_happens),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}

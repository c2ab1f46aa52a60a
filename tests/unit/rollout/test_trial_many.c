// A trial of several candidates, and the threshold of an A/B test's goal.
#include "trial_run.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// An A/B test of three: each candidate is judged, with an equal part of the chance of a false alarm.
static void begin_three(struct trial_run *run, const char *guards, uint64_t seed) {
    trial_run_begin(run, guards, seed);
    run->world.arms[2] = run->world.arms[1];
    struct trial_settings settings = run->trial.settings;
    settings.others[settings.other_count++] = (struct trial_other){2, "third"};
    trial_init(&run->trial, &settings, START);
}

static void each_candidate_is_judged(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 21);
    trial_run_tick(&run);
    double alone = run.outcomes[0].log_needed_harm;
    trial_run_end(&run);
    begin_three(&run, "guards: {error_rate: {margin: 0.5}}", 21);
    assert_int_equal(run.trial.guard_count, 2);
    run.world.arms[2].error_rate = 1;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 100), 2, 4);
    assert_int_equal(run.outcomes[0].verdict, VERDICT_WAIT);
    assert_int_equal(run.outcomes[1].verdict, VERDICT_FAIL);
    assert_true(strncmp(run.judgement.because, "third: failed requests:", 23) == 0);
    assert_true(fabs(run.outcomes[0].log_needed_harm - alone - log(2)) < 1e-9);
    trial_run_end(&run);
}

static void scores_find_their_candidate(void **state) {
    (void)state;
    struct trial_run run;
    begin_three(&run, "guards: {quality: {margin: 0.05}}", 22);
    for (int i = 0; i < 3000; i++)
        assert_true(trial_score(&run.trial, "quality", (size_t)i % 3, i % 3 == 2 ? 0.2 : 0.8 + 0.01 * (i % 7),
                                SCORE_WITHOUT_UNIT));
    assert_false(trial_score(&run.trial, "other", 2, 0.5, SCORE_WITHOUT_UNIT));
    trial_judge(&run.trial, run.outcomes, &run.judgement);
    assert_true(run.outcomes[0].baseline_count == 1000 && run.outcomes[0].candidate_count == 1000);
    assert_true(run.outcomes[1].baseline_count == 1000 && run.outcomes[1].candidate_count == 1000);
    assert_int_equal(run.outcomes[1].verdict, VERDICT_FAIL);
    assert_int_not_equal(run.outcomes[0].verdict, VERDICT_FAIL);
    trial_run_end(&run);
}

// Once one of them has everything, the others have no traffic and are not asked for any.
static void who_was_withdrawn_is_not_judged(void **state) {
    (void)state;
    struct trial_run run;
    begin_three(&run, "guards: {error_rate: {margin: 0.5}}", 23);
    for (int i = 0; i < 400; i++)
        trial_run_tick(&run);
    run.world.arms[0].per_tick = run.world.arms[1].per_tick = 0;
    run.world.arms[2].per_tick = 100;
    trial_watch(&run.trial, true, 2);
    for (int i = 0; i < 600; i++)
        trial_run_tick(&run);
    assert_int_equal(run.judgement.guards, VERDICT_PASS);
    run.world.arms[2].error_rate = 0.5;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 200), 1, 100);
    assert_true(strncmp(run.judgement.because, "third: ", 7) == 0);
    trial_run_end(&run);
}

// All arms are held against the baseline's quantile, in a slot of its own.
static void a_goal_by_time_has_its_threshold(void **state) {
    (void)state;
    struct trial_run run;
    static struct histogram whole, first_byte;
    struct guard_settings goal = {
        .name = "ttft_p95", .kind = GUARD_LATENCY, .quantile = 0.95, .first_byte = true};
    trial_run_begin(&run, "guards: {latency_p95: {margin: 20}}", 24);
    trial_take_goal(&run.trial, &goal);
    assert_int_equal(goal.slot, 1);
    assert_int_equal(run.trial.thresholds.first_byte, 1u << 1);
    for (int i = 0; i < 5000; i++) {
        histogram_add(&whole, 50000 + 10 * (uint64_t)i);
        histogram_add(&first_byte, 1000 + (uint64_t)i);
    }
    assert_true(trial_aim(&run.trial, &whole, &first_byte));
    uint32_t *baseline = run.trial.thresholds.limit_us[0], *candidate = run.trial.thresholds.limit_us[1];
    assert_true(candidate[0] > 1.19 * baseline[0]);
    assert_in_range(baseline[1], 5700, 6000);
    assert_int_equal(candidate[1], baseline[1]);
    assert_int_equal(run.trial.thresholds.limit_us[2][1], baseline[1]);
    trial_run_end(&run);
}

// Where nothing has failed yet there is an interval too.
static void no_errors_have_an_interval(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 25);
    run.world.arms[0].error_rate = run.world.arms[1].error_rate = 0;
    for (int i = 0; i < 400; i++)
        trial_run_tick(&run);
    const struct guard_outcome *outcome = &run.outcomes[0];
    assert_true(outcome->candidate_events == 0 && outcome->candidate_count > 1000);
    assert_true(outcome->low < 0 && outcome->low > -0.01);
    assert_true(outcome->high > 0 && outcome->high < 0.02);
    trial_run_end(&run);
}

// ---- ticks that say nothing of times

struct odd { // how a tick is not like the others
    bool unaimed, changing, other_version, idle_baseline;
};

static bool read_odd(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct odd *odd = context;
    *cell = (struct experiment_cell){.tick = tick, .started = 10, .version = 2};
    cell->limit_us[0] = odd->unaimed ? 0 : 100000;
    cell->within[0] = 9;
    if (odd->changing)
        cell->version = 0;
    if (odd->other_version && arm == 1)
        cell->version = 4;
    if (odd->idle_baseline && arm == 0)
        *cell = (struct experiment_cell){.tick = tick};
    return true;
}

static double timed_requests(const struct odd *odd) {
    struct trial_run run;
    struct trial_source source = {read_odd, (void *)odd};
    trial_run_begin(&run, "guards: {latency_p95: {margin: 20}}", 26);
    for (unsigned i = 1; i <= 50; i++)
        trial_advance(&run.trial, START + i, 250, &source);
    double count = run.trial.guards[0].total.candidate;
    trial_run_end(&run);
    return count;
}

static void arms_with_other_thresholds_are_not_compared(void **state) {
    (void)state;
    assert_true(timed_requests(&(struct odd){0}) > 400);
    assert_true(timed_requests(&(struct odd){.idle_baseline = true}) > 400); // nothing to disagree with
    assert_true(timed_requests(&(struct odd){.unaimed = true}) == 0);
    assert_true(timed_requests(&(struct odd){.changing = true}) == 0);
    assert_true(timed_requests(&(struct odd){.other_version = true}) == 0);
}

// After a stop of the clock only what the rings still hold is asked for.
static void what_has_gone_is_not_asked_for(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}, horizon: 1s", 27);
    run.world.now = START + 100000;
    trial_run_tick(&run);
    assert_true(run.outcomes[0].baseline_count <= 95.0 * EXPERIMENT_RING);
    assert_true(run.trial.guards[0].next > START + 99000);
    assert_true(run.trial.step_requests <= 5 * 66);
    trial_run_end(&run);
}

// ---- a reload

static unsigned kept_by(const char *before, const char *after) {
    struct trial_run run;
    trial_run_begin(&run, before, 28);
    for (int i = 0; i < 100; i++)
        trial_run_tick(&run);
    struct config *edited = trial_run_configure(after);
    struct trial_settings settings = {.config = edited->routes[0].rollout, .candidate = 1, .arms = ARMS};
    trial_adopt(&run.trial, &settings, run.world.now);
    unsigned kept = 0;
    for (unsigned i = 0; i < run.trial.guard_count; i++)
        kept += run.trial.guards[i].total_soon.candidate > 0;
    trial_run_end(&run);
    config_unref(edited);
    return kept;
}

// Evidence belongs to its question; whether it may act is another.
static void evidence_stays_with_its_question(void **state) {
    (void)state;
    const char *before = "guards: {error_rate: {margin: 0.5}}";
    assert_int_equal(kept_by(before, before), 1);
    assert_int_equal(kept_by(before, "guards: {error_rate: {margin: 0.5}}, dry_run: all"), 1);
    assert_int_equal(kept_by(before, "signals: {error_rate: {margin: 0.5}}"), 1);
    assert_int_equal(kept_by(before, "guards: {error_rate: {margin: 0.6}}"), 0);
    assert_int_equal(kept_by(before, "limits: {error_rate: 25}"), 0);
    assert_int_equal(kept_by("limits: {error_rate: 25}", "limits: {error_rate: 25}"), 1);
    assert_int_equal(kept_by("limits: {error_rate: 25}", "limits: {error_rate: 30}"), 0);
}

int test_trial_many(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_candidate_is_judged),
        cmocka_unit_test(scores_find_their_candidate),
        cmocka_unit_test(who_was_withdrawn_is_not_judged),
        cmocka_unit_test(a_goal_by_time_has_its_threshold),
        cmocka_unit_test(no_errors_have_an_interval),
        cmocka_unit_test(arms_with_other_thresholds_are_not_compared),
        cmocka_unit_test(what_has_gone_is_not_asked_for),
        cmocka_unit_test(evidence_stays_with_its_question),
    };
    return cmocka_run_group_tests_name("trial_many", tests, NULL, NULL);
}

// A trial over simulated ticks: two arms.
#include "base/random.h"
#include "trial_run.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static void a_dead_candidate_is_seen_at_once(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 1);
    run.world.arms[1].error_rate = 1;
    unsigned ticks = trial_run_until(&run, VERDICT_FAIL, 100);
    assert_in_range(ticks, 2, 4); // a tick to end, one to mature: 5 failed requests or a few more
    assert_non_null(strstr(run.judgement.because, "it is worse"));
    // It stands, whatever comes after.
    run.world.arms[1].error_rate = 0;
    assert_int_equal(trial_run_until(&run, VERDICT_PASS, 2000), 0);
    trial_run_end(&run);
}

static void a_bad_candidate_is_seen(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 2);
    run.world.arms[1].error_rate = 0.05;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 2000), 3, 500);
    trial_run_end(&run);
}

// Nothing of it can be judged, and that is said: by its requests alone it would look as if nobody came.
static void a_candidate_that_refuses_everybody_is_told(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 20}}", 5);
    run.trial.thresholds.limit_us[0][0] = run.trial.thresholds.limit_us[1][0] = 100000;
    run.world.arms[1].refuses = true;
    assert_int_equal(trial_run_until(&run, VERDICT_FAIL, 40), 0);
    assert_int_equal(run.judgement.guards, VERDICT_NO_DATA);
    const char *said[] = {"; nothing to judge by, its last 195 requests ended in 4xx or without a client",
                          "; nothing to judge by, its last 190 requests ended in 4xx or without a client"};
    for (int i = 0; i < 2; i++) // of 5 a tick, of which the last one or two have not ended
        assert_non_null(strstr(run.outcomes[i].because, said[i]));
    // One that is judged ends it: what is silent later has had no requests.
    run.world.arms[1].refuses = false;
    assert_true(trial_run_until(&run, VERDICT_WAIT, 200));
    run.world.arms[1].per_tick = 0;
    assert_true(trial_run_until(&run, VERDICT_NO_DATA, 400));
    assert_non_null(strstr(run.judgement.because, "too few figures to judge by"));
    trial_run_end(&run);
}

// Errors that take long are seen too, after the horizon.
static void late_errors_are_seen(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}, horizon: 15s", 3);
    run.world.arms[1].error_rate = 0.5;
    run.world.arms[1].errors_late = true;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 2000), 61, 80);
    trial_run_end(&run);
}

static void a_slow_candidate_is_seen(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {latency_p95: {margin: 20}}", 4);
    run.trial.thresholds.limit_us[0][0] = run.trial.thresholds.limit_us[1][0] = 100000;
    run.world.arms[1].slow_rate = 0.3;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 2000), 3, 400);
    trial_run_end(&run);
}

static void equal_arms_are_never_taken_back(void **state) {
    (void)state;
    for (uint64_t seed = 10; seed < 30; seed++) {
        struct trial_run run;
        trial_run_begin(
            &run, "guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 10}, ttft_p50: {margin: 10}}",
            seed);
        assert_int_equal(trial_run_until(&run, VERDICT_FAIL, 1000), 0);
        trial_run_end(&run);
    }
}

static void a_good_candidate_passes(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 1}}", 5);
    run.world.arms[0].per_tick = run.world.arms[1].per_tick = 50;
    unsigned ticks = trial_run_until(&run, VERDICT_PASS, 2000);
    assert_in_range(ticks, 120, 600); // the horizon of 30 s, and evidence
    assert_int_equal(run.judgement.step, VERDICT_PASS);
    trial_run_end(&run);
}

static void without_requests_there_is_no_data(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 1}}, horizon: 1s", 6);
    run.world.arms[1].per_tick = 0;
    assert_int_equal(trial_run_until(&run, VERDICT_PASS, 500), 0);
    assert_int_equal(run.judgement.guards, VERDICT_NO_DATA);
    // Data that dries up is no data either, though it had passed.
    run.world.arms[0].per_tick = run.world.arms[1].per_tick = 50;
    assert_int_not_equal(trial_run_until(&run, VERDICT_PASS, 2000), 0);
    run.world.arms[1].per_tick = 0;
    assert_in_range(trial_run_until(&run, VERDICT_NO_DATA, 2000), 200, 260);
    trial_run_end(&run);
}

static void an_absolute_limit_needs_no_baseline(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "limits: {error_rate: 25}", 7);
    run.world.arms[0].per_tick = 0;
    run.world.arms[1].error_rate = 0.2;
    assert_int_equal(trial_run_until(&run, VERDICT_FAIL, 500), 0);
    assert_int_equal(run.judgement.guards, VERDICT_PASS);
    run.world.arms[1].error_rate = 0.6;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 500), 2, 60);
    trial_run_end(&run);
}

static void a_signal_and_a_rehearsal_do_not_fail_the_guards(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(
        &run,
        "signals: {error_rate: {margin: 0.5}}, guards: {latency_p95: {margin: 20}}, dry_run: [latency_p95]",
        8);
    run.world.arms[1].error_rate = 1;
    assert_int_equal(trial_run_until(&run, VERDICT_FAIL, 200), 0);
    assert_int_equal(run.judgement.signals, VERDICT_FAIL);
    assert_int_equal(run.outcomes[0].verdict, VERDICT_FAIL); // shown all the same
    trial_run_end(&run);
}

// At 100 % the baseline has no traffic: the candidate is held against what the baseline was.
static void the_watch_goes_on_without_a_baseline(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}, horizon: 1s", 9);
    trial_run_until(&run, VERDICT_FAIL, 200);
    trial_watch(&run.trial, true, 1);
    run.world.arms[0].per_tick = 0;
    run.world.arms[1].per_tick = 100;
    assert_int_equal(trial_run_until(&run, VERDICT_FAIL, 400), 0);
    run.world.arms[1].error_rate = 0.2;
    assert_in_range(trial_run_until(&run, VERDICT_FAIL, 400), 1, 12);
    trial_run_end(&run);
}

static void a_broken_sample_ratio_is_told(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 10);
    trial_ratio(&run.trial, (uint64_t[]){9500, 500, 0}, (double[]){0.95, 0.05, 0});
    trial_run_tick(&run);
    assert_false(run.judgement.sample_ratio_broken);
    trial_ratio(&run.trial, (uint64_t[]){9000, 1000, 0}, (double[]){0.95, 0.05, 0});
    trial_ratio(&run.trial, (uint64_t[]){9500, 500, 0}, (double[]){0.95, 0.05, 0});
    trial_run_tick(&run);
    assert_true(run.judgement.sample_ratio_broken); // it stands
    trial_reset(&run.trial, run.world.now);
    trial_run_tick(&run);
    assert_false(run.judgement.sample_ratio_broken);
    trial_run_end(&run);
}

static void changed_margins_begin_anew(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 20}}", 11);
    run.world.arms[1].error_rate = 1;
    run.world.arms[1].slow_rate = 1;
    for (int i = 0; i < 100; i++)
        trial_run_tick(&run);
    assert_int_equal(run.outcomes[1].verdict, VERDICT_FAIL);
    struct config *edited =
        trial_run_configure("guards: {latency_p95: {margin: 20}, error_rate: {margin: 50}}");
    struct trial_settings settings = {.config = edited->routes[0].rollout, .candidate = 1, .arms = ARMS};
    trial_adopt(&run.trial, &settings, run.world.now);
    trial_judge(&run.trial, run.outcomes, &run.judgement);
    assert_string_equal(run.trial.guards[1].settings.name, "error_rate");
    assert_int_equal(run.outcomes[1].verdict, VERDICT_NO_DATA);
    assert_int_equal(run.outcomes[0].verdict, VERDICT_FAIL); // its question is the same
    trial_run_end(&run);
    config_unref(edited);
}

static void ticks_that_went_are_counted_as_lost(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 12);
    run.world.gone = true;
    trial_run_until(&run, VERDICT_PASS, 200);
    assert_true(run.trial.lost > 0);
    assert_int_equal(run.judgement.guards, VERDICT_NO_DATA);
    trial_run_end(&run);
}

static void thresholds_follow_the_baseline(void **state) {
    (void)state;
    struct trial_run run;
    static struct histogram whole, first_byte;
    trial_run_begin(
        &run, "guards: {latency_p95: {margin: 100}, ttft_p50: {margin: 0}}, limits: {latency_p95: 10s}", 13);
    assert_true(trial_aim(&run.trial, &whole, &first_byte));
    assert_int_equal(run.trial.thresholds.limit_us[0][0], 0); // nothing is known yet
    assert_int_equal(run.trial.thresholds.limit_us[1][2], 10000000);
    for (int i = 0; i < 1000; i++) {
        histogram_add(&whole, i < 940 ? 100000 : 400000);
        histogram_add(&first_byte, 50000);
    }
    assert_true(trial_aim(&run.trial, &whole, &first_byte));
    uint32_t baseline = run.trial.thresholds.limit_us[0][0], candidate = run.trial.thresholds.limit_us[1][0];
    assert_in_range(baseline, 400000, 409000);
    assert_in_range(candidate, 2 * 400000, 2 * 409000);
    assert_int_equal(run.trial.thresholds.limit_us[0][1], run.trial.thresholds.limit_us[1][1]);
    assert_int_equal(run.trial.thresholds.first_byte, 2);
    assert_false(trial_aim(&run.trial, &whole, &first_byte));
    trial_run_end(&run);
}

// Users whose requests fail together: evidence is worth less, and the design effect says how much.
static void users_that_hang_together_weaken_evidence(void **state) {
    (void)state;
    struct trial_run run;
    static struct experiment_group baseline[EXPERIMENT_GROUPS], candidate[EXPERIMENT_GROUPS];
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 14);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = (struct experiment_group){.requests = 100, .failed = i % 20 == 0 ? 20 : 0};
    trial_design(&run.trial, baseline, candidate);
    assert_true(run.trial.designs[DESIGN_FAILED].effect > 5);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i].failed = 1;
    trial_design(&run.trial, baseline, candidate);
    assert_float_equal(run.trial.designs[DESIGN_FAILED].effect, 1, 1e-9);
    trial_run_end(&run);
}

// A reload keeps what was measured, and groups that begin anew (a restart, other variants) do not make the
// evidence of before stronger than it was.
static void what_units_weaken_stays_weak(void **state) {
    (void)state;
    struct trial_run run;
    static struct experiment_group baseline[EXPERIMENT_GROUPS], candidate[EXPERIMENT_GROUPS], none;
    const struct design *design = &run.trial.designs[DESIGN_FAILED];
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 15);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = (struct experiment_group){.requests = 100, .failed = i % 20 == 0 ? 20 : 0};
    trial_design(&run.trial, baseline, candidate);
    double effect = design->effect;
    assert_true(effect > 5);
    struct trial_settings settings = run.trial.settings;
    trial_adopt(&run.trial, &settings, run.world.now);
    assert_true(design->effect == effect);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = none;
    trial_design(&run.trial, baseline, candidate);
    assert_true(design->effect == effect);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = (struct experiment_group){.requests = 50, .failed = 1};
    trial_design(&run.trial, baseline, candidate);
    assert_true(design->effect == effect); // half of what it was measured on
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = (struct experiment_group){.requests = 100, .failed = 2};
    trial_design(&run.trial, baseline, candidate);
    assert_true(design->effect == 1);
    trial_design(&run.trial, baseline, candidate);
    trial_reset(&run.trial, run.world.now);
    assert_true(design->effect == 1);
    trial_run_end(&run);
}

// Costs: users whose requests are all dear or all cheap. The same sums say less.
static void users_that_hang_together_weaken_means(void **state) {
    (void)state;
    struct trial_run run;
    static struct experiment_group groups[2][EXPERIMENT_GROUPS];
    trial_run_begin(&run, "guards: {cost_per_request: {margin: 10}}", 16);
    struct experiment_sum arms[2] = {{0}};
    for (int arm = 0; arm < 2; arm++) {
        for (int i = 0; i < EXPERIMENT_GROUPS;
             i++) { // 20 requests each, at 1 or 3 cents; the candidate's 1.5
            double cents = (i % 2 ? 1 : 3) * (arm ? 1.5 : 1);
            groups[arm][i].requests = groups[arm][i].values[MEAN_COST] = 20;
            groups[arm][i].sums[MEAN_COST] = 20 * cents;
            arms[arm].count += 20;
            arms[arm].sum += 20 * cents;
            arms[arm].squares += 20 * cents * cents;
        }
    }
    guard_feed_means(&run.trial.guards[0], &arms[0], &arms[1]);
    trial_judge(&run.trial, run.outcomes, &run.judgement);
    double independent = run.outcomes[0].log_harm, width = run.outcomes[0].high - run.outcomes[0].low;
    trial_design(&run.trial, groups[0], groups[1]);
    assert_true(fabs(run.trial.designs[DESIGN_MEANS + MEAN_COST].effect - 20) < 0.1);
    trial_judge(&run.trial, run.outcomes, &run.judgement);
    assert_true(run.outcomes[0].log_harm < independent / 10);
    assert_true(run.outcomes[0].high - run.outcomes[0].low > 4 * width);
    trial_run_end(&run);
}

// Scores of two arms that are as good: how many more are needed is said once they differ at all.
static void a_mean_says_how_much_is_missing(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {quality: {margin: 0.05}}", 17);
    double first = 0;
    for (int i = 0; i < 4000; i++) {
        trial_score(&run.trial, "quality", (size_t)i % 2, i % 10 < 8 ? 0.9 : 0.3, SCORE_WITHOUT_UNIT);
        trial_judge(&run.trial, run.outcomes, &run.judgement);
        if (i == 300)
            first = run.outcomes[0].requests_left;
        if (run.judgement.guards == VERDICT_PASS)
            break;
        assert_true(i < 20 || run.outcomes[0].requests_left > 0);
    }
    assert_int_equal(run.judgement.guards, VERDICT_PASS);
    assert_true(first > 10 && first < 4000);
    trial_run_end(&run);
}

static void scores_of_the_same_units_say_less(void **state) {
    (void)state;
    struct trial_run run;
    double log_harm[2];
    for (int known = 0; known < 2; known++) {
        trial_run_begin(&run, "guards: {quality: {margin: 0.05}}", 18);
        for (uint64_t i = 0; i < 4000;
             i++) { // 40 raters of each arm, 50 times each; the candidate's are harsher
            bool candidate = i % 2, good = i / 2 % 40 < (candidate ? 20 : 30);
            uint64_t rater = (i % 80 + 1) * UINT64_C(0x9e3779b97f4a7c15);
            trial_score(&run.trial, "quality", candidate, good, known ? rater : SCORE_WITHOUT_UNIT);
        }
        trial_judge(&run.trial, run.outcomes, &run.judgement);
        log_harm[known] = run.outcomes[0].log_harm;
        assert_int_equal(run.outcomes[0].verdict, known ? VERDICT_WAIT : VERDICT_FAIL);
        trial_run_end(&run);
    }
    assert_true(log_harm[1] < log_harm[0] / 10);
}

int test_trial(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_candidate_is_seen_at_once),
        cmocka_unit_test(a_bad_candidate_is_seen),
        cmocka_unit_test(a_candidate_that_refuses_everybody_is_told),
        cmocka_unit_test(late_errors_are_seen),
        cmocka_unit_test(a_slow_candidate_is_seen),
        cmocka_unit_test(equal_arms_are_never_taken_back),
        cmocka_unit_test(a_good_candidate_passes),
        cmocka_unit_test(without_requests_there_is_no_data),
        cmocka_unit_test(an_absolute_limit_needs_no_baseline),
        cmocka_unit_test(a_signal_and_a_rehearsal_do_not_fail_the_guards),
        cmocka_unit_test(the_watch_goes_on_without_a_baseline),
        cmocka_unit_test(a_broken_sample_ratio_is_told),
        cmocka_unit_test(changed_margins_begin_anew),
        cmocka_unit_test(ticks_that_went_are_counted_as_lost),
        cmocka_unit_test(thresholds_follow_the_baseline),
        cmocka_unit_test(users_that_hang_together_weaken_evidence),
        cmocka_unit_test(what_units_weaken_stays_weak),
        cmocka_unit_test(a_mean_says_how_much_is_missing),
        cmocka_unit_test(scores_of_the_same_units_say_less),
        cmocka_unit_test(users_that_hang_together_weaken_means),
    };
    return cmocka_run_group_tests_name("trial", tests, NULL, NULL);
}

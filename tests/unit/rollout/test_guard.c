// One guard by itself: where its margin ends, what it says of little evidence, what Prometheus told it.
#include "rollout/guard.h"
#include "unit.h"
#include <math.h>
#include <string.h>

static const struct guard_levels levels = {.alpha_harm = 0.01, .alpha_fine = 0.05, .acting = 1};

static struct guard *make(const char *metric, enum guard_role role, double margin, double limit) {
    static struct guard guard;
    struct guard_settings settings;
    guard_read_metric(metric, &settings);
    settings.role = role;
    settings.margin = margin;
    settings.limit = limit;
    guard_init(&guard, &settings);
    return &guard;
}

static struct guard *make_external(double margin, double limit) {
    static struct guard guard;
    struct guard_settings settings = {
        .name = "queue", .kind = GUARD_EXTERNAL, .margin = margin, .limit = limit};
    guard_init(&guard, &settings);
    return &guard;
}

static enum verdict judge(struct guard *guard, struct guard_outcome *outcome) {
    guard_judge(guard, &levels, 1, 0.5, outcome);
    assert_int_equal(outcome->verdict, outcome->step_verdict);
    return outcome->verdict;
}

static double allowed(const char *metric, enum guard_role role, double margin, double limit,
                      double baseline) {
    struct guard_outcome outcome = {.baseline_estimate = baseline};
    return guard_allowed(make(metric, role, margin, limit), &outcome);
}

// Worse is more of errors, time and dollars, and less of tokens a second and scores.
static void where_the_margin_ends(void **state) {
    (void)state;
    assert_true(allowed("error_rate", GUARD_GUARD, 0.5, NAN, 0.01) == 0.005);
    assert_true(allowed("latency_p95", GUARD_GUARD, 20, NAN, 0.05) == 0);
    assert_true(fabs(allowed("cost_per_request", GUARD_GUARD, 10, NAN, 0.002) - 0.0002) < 1e-12);
    assert_true(fabs(allowed("tokens_per_second", GUARD_SIGNAL, 15, NAN, 40) + 6) < 1e-12);
    assert_true(fabs(allowed("quality", GUARD_GUARD, 0.02, NAN, 0.8) + 0.02) < 1e-12);
    assert_true(isnan(allowed("cost_per_request", GUARD_GUARD, 10, NAN, NAN)));
    assert_true(isnan(allowed("error_rate", GUARD_LIMIT, 0, 0.25, 0.01)));
    struct guard_outcome outcome = {.baseline_estimate = 4};
    assert_true(isnan(guard_allowed(make_external(10, 5), &outcome)));
}

static void units_of_its_estimates(void **state) {
    (void)state;
    assert_string_equal(guard_unit(&make("error_rate", GUARD_GUARD, 1, NAN)->settings), "share");
    assert_string_equal(guard_unit(&make("ttft_p50", GUARD_GUARD, 1, NAN)->settings), "share");
    assert_string_equal(guard_unit(&make("cost_per_request", GUARD_GUARD, 1, NAN)->settings), "dollars");
    assert_string_equal(guard_unit(&make("tokens_per_second", GUARD_GUARD, 1, NAN)->settings), "per_second");
    assert_string_equal(guard_unit(&make("quality", GUARD_GUARD, 1, NAN)->settings), "score");
    assert_string_equal(guard_unit(&make_external(1, NAN)->settings), "value");
}

// "latency_p" with no number behind it is a name like any other: a score somebody posts.
static void a_quantile_needs_its_number(void **state) {
    (void)state;
    assert_int_equal(make("latency_p", GUARD_GUARD, 1, NAN)->settings.kind, GUARD_SCORE);
    assert_int_equal(make("latency_p99.9", GUARD_GUARD, 1, NAN)->settings.kind, GUARD_LATENCY);
}

// ---- a metric from Prometheus

static void twice_beyond_the_margin_fails(void **state) {
    (void)state;
    struct guard *guard = make_external(10, NAN);
    struct guard_outcome outcome;
    assert_int_equal(judge(guard, &outcome), VERDICT_NO_DATA);
    assert_string_equal(outcome.because, "queue: Prometheus has no value yet");
    guard_external(guard, 100, 109, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    assert_string_equal(outcome.because, "queue: candidate 109, baseline 100, margin 10 %");
    assert_true(outcome.baseline_estimate == 100 && outcome.candidate_estimate == 109);
    guard_external(guard, 100, 111, NULL); // may be a hiccup
    assert_int_equal(judge(guard, &outcome), VERDICT_WAIT);
    guard_external(guard, 100, 100, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    guard_external(guard, 100, 111, NULL);
    guard_external(guard, 100, 111, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
    assert_string_equal(outcome.because,
                        "queue: candidate 111, baseline 100, margin 10 %; it is beyond the line");
    guard_external(guard, 100, 100, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL); // shown once, it stands
    guard_reset(guard);
    assert_int_equal(judge(guard, &outcome), VERDICT_NO_DATA);
    struct interval interval = guard_interval(guard, &outcome, true, 1, 0.05);
    assert_true(isnan(interval.low) && isnan(interval.high));
}

static void an_error_breaks_the_row(void **state) {
    (void)state;
    struct guard *guard = make_external(10, NAN);
    struct guard_outcome outcome;
    guard_external(guard, 100, 200, NULL);
    guard_external(guard, NAN, NAN, "no answer within 5 s");
    assert_int_equal(judge(guard, &outcome), VERDICT_ERROR);
    assert_string_equal(outcome.because, "queue: no answer within 5 s");
    assert_true(isnan(outcome.baseline_estimate) && isnan(outcome.candidate_estimate));
    guard_external(guard, 100, 200, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_WAIT);
}

static void a_most_needs_no_baseline(void **state) {
    (void)state;
    struct guard *guard = make_external(0, 50);
    struct guard_outcome outcome;
    guard_external(guard, NAN, 50, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    assert_string_equal(outcome.because, "queue: candidate 50, at most 50");
    guard_external(guard, NAN, 51, NULL);
    guard_external(guard, NAN, 52, NULL);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
}

// ---- times

static void feed(struct guard *guard, double nb, double kb, double nc, double kc) {
    guard_feed(guard, &(struct guard_batch){nb, kb, nc, kc}, false);
}

static void a_limit_of_a_time_tells_its_share(void **state) {
    (void)state;
    struct guard *guard = make("ttft_p95", GUARD_LIMIT, 0, 2000000);
    struct guard_outcome outcome;
    feed(guard, 0, 0, 100, 3);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS); // needs no proof that it is fine
    assert_string_equal(
        outcome.because,
        "first token slower than the limit: candidate 3 of 100 (3.00 %), allowed 5 %; it is no worse");
    feed(guard, 0, 0, 100, 80);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
    guard = make("latency_p50", GUARD_LIMIT, 0, 2000000);
    feed(guard, 0, 0, 10, 4);
    judge(guard, &outcome);
    assert_non_null(
        strstr(outcome.because, "slower than the limit: candidate 4 of 10 (40.00 %), allowed 50 %"));
}

// Proof that one of a hundred is no slower would take for ever: it is only watched for harm, for a while.
static void the_tail_passes_after_a_while(void **state) {
    (void)state;
    struct guard *guard = make("latency_p99", GUARD_GUARD, 20, NAN);
    struct guard_outcome outcome;
    feed(guard, 299, 3, 299, 3);
    assert_int_equal(judge(guard, &outcome), VERDICT_WAIT);
    feed(guard, 1, 0, 1, 0);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    feed(guard, 300, 3, 300, 200);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
}

// ---- a candidate with all of the traffic

static void a_watch_without_history_knows_nothing(void **state) {
    (void)state;
    struct guard *guard = make("error_rate", GUARD_GUARD, 0.5, NAN);
    struct guard_outcome outcome;
    feed(guard, 99, 1, 99, 1); // one less than the baseline must have
    guard_watch(guard, true);
    feed(guard, 0, 0, 500, 400);
    assert_int_equal(judge(guard, &outcome), VERDICT_NO_DATA);
    assert_non_null(strstr(outcome.because, ", baseline before 1.01 %, margin 0.5 points"));
    feed(guard, 1, 0, 0, 0); // what it did last has matured
    guard_watch(guard, true);
    feed(guard, 0, 0, 500, 400);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
}

static void a_watch_that_ends_compares_again(void **state) {
    (void)state;
    struct guard *guard = make("error_rate", GUARD_GUARD, 0.5, NAN);
    struct guard_outcome outcome;
    feed(guard, 1000, 10, 100, 1);
    guard_watch(guard, true);
    feed(guard, 0, 0, 100, 1);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    guard_watch(guard, false);
    assert_int_equal(judge(guard, &outcome), VERDICT_WAIT); // of this question little is known
    assert_non_null(strstr(outcome.because, ", baseline 10 of 1000 (1.00 %), margin 0.5 points"));
}

static void a_limit_is_not_watched(void **state) {
    (void)state;
    struct guard *guard = make("error_rate", GUARD_LIMIT, 0, 0.25);
    feed(guard, 1000, 10, 100, 1);
    guard_watch(guard, true);
    assert_false(guard->watching); // it holds whoever has the traffic
}

// ---- means

static void a_mean_of_one_arm_says_so(void **state) {
    (void)state;
    struct guard *guard = make("cost_per_request", GUARD_GUARD, 10, NAN);
    const struct experiment_sum some = {.count = 300, .sum = 600, .squares = 1210}, none = {0};
    struct guard_outcome outcome;
    guard_feed_means(guard, &some, &none);
    assert_int_equal(judge(guard, &outcome), VERDICT_NO_DATA);
    assert_string_equal(outcome.because, "no values of both arms yet; too few figures to judge by");
    assert_true(outcome.baseline_estimate == 2 && isnan(outcome.candidate_estimate));
    struct interval interval = guard_interval(guard, &outcome, false, 1, 0.05);
    assert_true(interval.low < 2 && interval.low > 1.9 && interval.high > 2 && interval.high < 2.1);
    interval = guard_interval(guard, &outcome, true, 1, 0.05);
    assert_true(isnan(interval.low) && isnan(interval.high));
}

// A candidate whose values are all the same beside a baseline of nearly nothing (found by fuzzing): so far
// apart that the squares are no numbers, in either direction. The worse one is harmful, the better one fine.
static void values_far_apart_are_told_apart(void **state) {
    (void)state;
    static const struct experiment_sum nothing = {94000, 5e-324, 1.737908646246513e-309},
                                       some = {4900, 5.25, 5.25 * 5.25 / 4900};
    struct guard *guard = make("cost_per_request", GUARD_GUARD, 10, NAN);
    struct guard_outcome outcome;
    guard_feed_means(guard, &nothing, &some);
    assert_int_equal(judge(guard, &outcome), VERDICT_FAIL);
    assert_true(isfinite(outcome.log_harm) && outcome.log_harm > 1000);
    assert_true(isfinite(outcome.log_fine) && outcome.log_fine < 0);
    assert_true(isfinite(outcome.log_step) && outcome.log_step < 0);
    guard = make("tokens_per_second", GUARD_GUARD, 10, NAN);
    guard_feed_means(guard, &nothing, &some);
    assert_int_equal(judge(guard, &outcome), VERDICT_PASS);
    assert_true(isfinite(outcome.log_harm) && outcome.log_harm < 0);
    assert_true(isfinite(outcome.log_fine) && outcome.log_fine > 1000);
}

int test_guard(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_margin_ends),
        cmocka_unit_test(units_of_its_estimates),
        cmocka_unit_test(a_quantile_needs_its_number),
        cmocka_unit_test(twice_beyond_the_margin_fails),
        cmocka_unit_test(an_error_breaks_the_row),
        cmocka_unit_test(a_most_needs_no_baseline),
        cmocka_unit_test(a_limit_of_a_time_tells_its_share),
        cmocka_unit_test(the_tail_passes_after_a_while),
        cmocka_unit_test(a_watch_without_history_knows_nothing),
        cmocka_unit_test(a_watch_that_ends_compares_again),
        cmocka_unit_test(a_limit_is_not_watched),
        cmocka_unit_test(a_mean_of_one_arm_says_so),
        cmocka_unit_test(values_far_apart_are_told_apart),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}

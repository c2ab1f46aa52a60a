// A tally as it is added up, told and read, and what is refused of it.
#include "base/random.h"
#include "rollout/tally.h"
#include "trial_run.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static struct guard_batch batch_of(double requests, double share, double rate) {
    return (struct guard_batch){floor(requests * (1 - share)), floor(requests * (1 - share) * rate),
                                floor(requests * share), floor(requests * share * rate)};
}

static struct experiment_sum sum_of(double some, double mean) {
    double count = floor(some);
    return (struct experiment_sum){(uint64_t)count, count * mean, count * mean * mean * 1.3};
}

// A route with errors, two latencies, a cost and a score after so many requests, a tenth of them to the
// candidate; and a contest by errors of two arms.
static struct tally usual(double requests) {
    struct tally tally;
    tally_reset(&tally, 12);
    tally.baseline = (uint64_t)(0.9 * requests);
    tally.candidate = (uint64_t)(0.1 * requests);
    tally.guards[0].all = batch_of(requests, 0.1, 0.004);
    tally.guards[0].soon = batch_of(requests + 900, 0.1, 0.003);
    tally.guards[1].all = batch_of(requests, 0.1, 0.05);
    tally.guards[2].all = batch_of(requests, 0.1, 0.01);
    tally.guards[3].baseline = sum_of(0.9 * requests, 0.00217);
    tally.guards[3].candidate = sum_of(0.1 * requests, 0.00231);
    tally.guards[4].baseline = sum_of(0.009 * requests, 0.77);
    tally.guards[4].candidate = sum_of(0.001 * requests, 0.81);
    tally.arms[0] = (struct tally_arm){.requests = 1000, .events = 3};
    tally.arms[1] = (struct tally_arm){.requests = 1001};
    return tally;
}

static struct strbuf written(const struct tally *tally) {
    struct strbuf bytes = {0};
    tally_write(tally, &bytes);
    return bytes;
}

static bool same(const struct tally *a, const struct tally *b) {
    struct strbuf one = written(a), other = written(b);
    bool equal = slice_equal(strbuf_as_slice(&one), strbuf_as_slice(&other));
    strbuf_free(&one);
    strbuf_free(&other);
    return equal && a->epoch == b->epoch && memcmp(a->guards, b->guards, sizeof a->guards) == 0 &&
           memcmp(a->arms, b->arms, sizeof a->arms) == 0;
}

static bool reads(struct slice bytes, struct tally *tally) {
    struct error error = {""};
    bool read = tally_read(bytes, tally, &error);
    assert_true(read == (error.text[0] == '\0'));
    assert_true(tally_holds(tally));
    return read;
}

// ---- as bytes

static size_t size_after(double requests) {
    struct tally tally = usual(requests), back;
    struct strbuf bytes = written(&tally);
    size_t size = bytes.len;
    assert_true(reads(strbuf_as_slice(&bytes), &back));
    assert_true(same(&tally, &back));
    strbuf_free(&bytes);
    return size;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    assert_true(size_after(1) < 50);
    size_t early = size_after(1e4), usually = size_after(1e8), late = size_after(1e12);
    print_message("bytes of a route with five guards: %zu, %zu, %zu after 10^4, 10^8, 10^12 requests\n",
                  early, usually, late);
    assert_true(early < 140 && usually < 170 && late < 220);
}

static void the_largest_tally_has_its_size(void **state) {
    (void)state;
    struct tally tally, back;
    double most = TALLY_MOST - 1;
    tally_reset(&tally, UINT32_MAX);
    tally.baseline = tally.candidate = (uint64_t)most;
    struct experiment_sum sum = {(uint64_t)most, 1e99 / 3, 0.1};
    for (int i = 0; i < GUARDS_MOST; i++)
        tally.guards[i] = (struct tally_guard){
            {most, most, most, most}, {most, most, most, most}, sum, sum}; // more than any guard has
    for (int i = 0; i < TALLY_ARMS; i++)
        tally.arms[i] = (struct tally_arm){most, most, sum};
    struct strbuf bytes = written(&tally);
    print_message("bytes of the largest tally: %zu\n", bytes.len);
    assert_true(bytes.len <= 5 * 1024);
    assert_true(reads(strbuf_as_slice(&bytes), &back));
    assert_true(same(&tally, &back));
    strbuf_free(&bytes);
}

// What damage is not noticed gives a tally that is written as those bytes, and as no others.
static void check_damaged(struct slice bytes) {
    struct tally tally;
    if (!reads(bytes, &tally))
        return;
    struct strbuf again = written(&tally);
    assert_true(slice_equal(bytes, strbuf_as_slice(&again)));
    strbuf_free(&again);
}

static void damage_is_refused_or_holds(void **state) {
    (void)state;
    struct tally tally = usual(123456), back;
    struct strbuf bytes = written(&tally);
    for (size_t len = 0; len < bytes.len; len++)
        assert_false(reads(slice_make(bytes.at, len), &back));
    for (size_t i = 0; i < bytes.len; i++) {
        char is = bytes.at[i];
        for (int other = 0; other < 256; other++) {
            bytes.at[i] = (char)other;
            check_damaged(strbuf_as_slice(&bytes));
        }
        bytes.at[i] = is;
    }
    strbuf_char(&bytes, 0);
    assert_false(reads(strbuf_as_slice(&bytes), &back));
    strbuf_free(&bytes);
}

static void refused(const char *bytes, size_t len, const char *why) {
    struct tally tally;
    struct error error = {""};
    assert_false(tally_read(slice_make(bytes, len), &tally, &error));
    if (!strstr(error.text, why))
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    assert_true(tally.epoch == 0 && tally.baseline == 0);
}
#define REFUSED(bytes, why) refused(bytes, sizeof(bytes) - 1, why)

// Each number has one form.
static void odd_numbers_are_refused(void **state) {
    (void)state;
    struct tally tally;
    assert_true(reads(SLICE("\1\0\0\0\0\0"), &tally)); // nothing was counted
    REFUSED("", "ends too early");
    REFUSED("\2\0\0\0\0\0", "another format");
    REFUSED("\1\x80\0\0\0\0\0", "longer than it need be");
    REFUSED("\1\xff\xff\xff\xff\x1f\0\0\0\0", "too large");                 // an epoch of 33 bits
    REFUSED("\1\0\x80\x80\x80\x80\x80\x80\x80\x10\0\0\0", "too large");     // 2^53 requests
    REFUSED("\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\0\0\0", "64 bits"); // 2^64
    REFUSED("\1\0\0\0\x21", "not known");                                   // 33 guards
    REFUSED("\1\0\0\0\1\x10", "not known");                                 // a part that is none
    REFUSED("\1\0\0\0\1\0\0", "ends with an empty guard");
    REFUSED("\1\0\0\0\0\1\0", "ends with an empty arm");
    REFUSED("\1\0\0\0\1\1\0\0\0\0\0", "without requests");
    REFUSED("\1\0\0\0\1\1\1\2\0\0\0", "more events than requests");
    REFUSED("\1\0\0\0\1\4\0\0\0\0", "a sum of no values");
    REFUSED("\1\0\0\0\1\4\1\3\0\0", "of no known kind");
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xf0\x3f\0\0", "no fraction"); // 1.0
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xe0\xbf\0\0", "negative");    // -0.5
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\0\x80\0\0", "negative");      // -0
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xf0\x7f\0\0", "too large");   // infinity
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xf8\x7f\0\0", "too large");   // no number
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xf0\x60\0\0", "too large");   // 1e159
    REFUSED("\1\0\0\0\0\0\0", "behind its end");
    REFUSED("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xe0\x3f\0\0", "too small for its values"); // 0.5, and 0 squared
    assert_true(reads(SLICE("\1\0\0\0\1\4\1\1\0\0\0\0\0\0\xe0\x3f\2\0"), &tally));
    assert_true(tally.guards[0].baseline.sum == 0.5);
}

static void what_does_not_hold_is_not_told(void **state) {
    (void)state;
    static const double odd[] = {-1, 0.5, TALLY_MOST, NAN, INFINITY};
    struct tally tally, back;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        tally = usual(1000);
        tally.guards[1].all.baseline_events = odd[i];
        struct strbuf bytes = written(&tally);
        assert_false(tally_holds(&tally));
        assert_false(reads(strbuf_as_slice(&bytes), &back));
        strbuf_free(&bytes);
    }
    tally = usual(1000);
    tally.guards[3].baseline.sum = -1;
    assert_false(tally_holds(&tally));
    tally = usual(1000);
    tally.arms[15].values = (struct experiment_sum){0, 1, 1};
    assert_false(tally_holds(&tally));
    tally = usual(1000);
    tally.candidate = UINT64_MAX;
    assert_false(tally_holds(&tally));
}

// ---- more and less

static void what_is_new_is_the_difference(void **state) {
    (void)state;
    struct tally taken = usual(1000), latest = usual(5000), delta, sum = taken;
    assert_true(tally_minus(&latest, &taken, &delta));
    assert_true(delta.guards[0].all.candidate == latest.guards[0].all.candidate - 100);
    tally_add(&sum, &delta);
    assert_int_equal(sum.baseline, latest.baseline);
    assert_memory_equal(&sum.guards[0], &latest.guards[0], sizeof sum.guards[0]);
    assert_memory_equal(&sum.arms[0], &latest.arms[0], sizeof sum.arms[0]);
    assert_true(fabs(sum.guards[3].baseline.sum - latest.guards[3].baseline.sum) < 1e-12);
    assert_true(tally_minus(&latest, &latest, &delta));
    struct tally none;
    tally_reset(&none, 12);
    assert_true(same(&delta, &none));
    assert_true(tally_minus(&latest, &none, &delta));
    assert_true(same(&delta, &latest));
}

static void lies_and_other_lives_are_told(void **state) {
    (void)state;
    const struct tally taken = usual(5000), good = usual(6000);
    struct tally latest = good, delta;
    latest.epoch++;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = usual(4000); // it began anew
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good;
    latest.baseline = taken.baseline - 1;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good;
    latest.guards[0].soon.candidate_events = taken.guards[0].soon.candidate_events - 1;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good; // every old request failed after all
    latest.guards[1].all.candidate_events = latest.guards[1].all.candidate;
    assert_true(tally_holds(&latest));
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good;
    latest.guards[3].candidate.count = taken.guards[3].candidate.count - 1;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good; // more money for the same values
    latest.guards[3].candidate.count = taken.guards[3].candidate.count;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good;
    latest.guards[4].candidate.squares = taken.guards[4].candidate.squares / 2;
    assert_false(tally_minus(&latest, &taken, &delta));
    latest = good;
    latest.arms[0].events = 1;
    assert_false(tally_minus(&latest, &taken, &delta));
    assert_true(tally_minus(&good, &taken, &delta));
}

// A value is counted and added up one after the other, so that a reader may see a sum without a value.
static void a_sum_without_a_value_is_not_added(void **state) {
    (void)state;
    struct experiment_sum sum = {0};
    tally_sum_add(&sum, &(struct experiment_sum){0, 0.5, 0.25});
    assert_true(sum.count == 0 && sum.sum == 0 && sum.squares == 0);
    tally_score(&sum, 0.5);
    assert_true(sum.count == 1 && sum.sum == 0.5 && sum.squares == 0.25);
    tally_sum_add(&sum, &(struct experiment_sum){4, 4, 2}); // two squares were still to come
    assert_true(sum.count == 5 && sum.sum == 4.5 && sum.squares == 4.25);
}

static bool tells_of(struct experiment_sum sum) {
    struct tally tally, back;
    tally_reset(&tally, 1);
    tally.guards[3].candidate = tally.arms[0].values = sum;
    struct strbuf bytes = written(&tally);
    bool read = reads(strbuf_as_slice(&bytes), &back);
    assert_true(read == tally_holds(&tally));
    strbuf_free(&bytes);
    return read;
}

// Values that are all the same have the least squares that values of their sum can have: each addition rounds
// both sums, always in the same direction, and they must not be refused for it.
static void squares_are_no_less_than_values_have(void **state) {
    (void)state;
    static const double values[] = {0.1, 1.0 / 3, 0.7, 1e-3, 2.3e7, 1e-160, 1e-165, 1e40};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct experiment_sum sum = {0};
        for (int n = 1; n <= 200000; n++) {
            tally_score(&sum, values[i]);
            if ((n & (n - 1)) == 0 || n == 200000)
                assert_true(tells_of(sum));
        }
        struct experiment_sum less = sum;
        less.squares *= 0.999999;
        assert_true(tells_of(less) == (less.squares < 1e-300)); // … where they can be told at all
    }
    assert_false(tells_of((struct experiment_sum){4900, 5.25, 3.395983423567657e-05}));
    assert_false(tells_of((struct experiment_sum){2, 1, 0}));
    assert_true(tells_of((struct experiment_sum){2, 1, 0.5}));
    assert_true(tells_of((struct experiment_sum){1, 5e-324, 0})); // its square is no number
}

// What is new of very many values is what the rounding of their sums has left of it: it is taken.
static void rounding_is_no_lie(void **state) {
    (void)state;
    struct tally taken, latest, delta;
    tally_reset(&taken, 1);
    for (int n = 0; n < 100000; n++)
        tally_score(&taken.guards[0].baseline, 0.7);
    latest = taken;
    tally_score(&latest.guards[0].baseline, 1e-9);
    assert_true(tally_minus(&latest, &taken, &delta));
    assert_false(tally_holds(&delta));
    assert_true(delta.guards[0].baseline.count == 1);
}

// ---- what a trial takes

static void what_a_guard_does_not_count_does_not_fit(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run,
                    "guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 20}, latency_p50: {margin: "
                    "20}, cost_per_request: {margin: 10}, quality: {margin: 0.05}}",
                    1);
    const struct tally good = usual(100000);
    struct tally bad = good;
    assert_true(trial_fits(&run.trial, &good));
    bad.guards[1].soon = good.guards[0].soon; // a latency knows no failure at once
    assert_false(trial_fits(&run.trial, &bad));
    bad = good;
    bad.guards[0].candidate = good.guards[3].candidate;
    assert_false(trial_fits(&run.trial, &bad));
    bad = good;
    bad.guards[4].all = good.guards[0].all;
    assert_false(trial_fits(&run.trial, &bad));
    bad = good;
    bad.guards[5].all = good.guards[0].all; // there is no sixth
    assert_false(trial_fits(&run.trial, &bad));
    assert_false(trial_take(&run.trial, &bad, 1000));
    assert_true(run.trial.step_requests == 0 && run.trial.guards[0].total.baseline == 0);
    assert_int_equal(run.trial.guards[0].silent_ms, 0);
    assert_true(trial_take(&run.trial, &good, 1000));
    assert_true(run.trial.step_requests == 10000 && run.trial.guards[0].total.baseline == 90000);
    assert_true(run.trial.guards[4].candidate.count == 100);
    trial_run_end(&run);
}

// A second is four ticks to the average share; and when nobody counts any more, it is no data.
static void time_passes_by_the_clock(void **state) {
    (void)state;
    struct trial_run run;
    struct tally more;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 3);
    tally_reset(&more, 0);
    more.baseline = 75;
    more.candidate = 25;
    more.guards[0].all = (struct guard_batch){75, 1, 25, 0};
    trial_take(&run.trial, &more, 1000);
    assert_true(fabs(run.trial.share - 0.25 * (1 - pow(0.95, 4))) < 1e-12);
    for (int second = 1; second <= 61; second++) {
        trial_judge(&run.trial, run.outcomes, &run.judgement);
        assert_int_equal(run.judgement.guards, VERDICT_WAIT);
        tally_reset(&more, 0);
        trial_take(&run.trial, &more, 1000);
    }
    trial_judge(&run.trial, run.outcomes, &run.judgement);
    assert_int_equal(run.judgement.guards, VERDICT_NO_DATA);
    assert_true(fabs(run.trial.share - 0.25 * (1 - pow(0.95, 4))) < 1e-12);
    trial_run_end(&run);
}

static void scores_go_to_their_guard(void **state) {
    (void)state;
    static struct tally_groups groups;
    struct tally tally;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}, quality: {margin: 0.05}}", 2);
    tally_reset(&tally, 0);
    tally_groups_reset(&groups, 0);
    assert_true(trial_collect_score(&run.trial, "quality", 0, 0.5, UINT64_C(3) << 56, &tally, &groups));
    assert_true(trial_collect_score(&run.trial, "quality", 1, 0.25, SCORE_WITHOUT_UNIT, &tally, &groups));
    assert_true(trial_collect_score(&run.trial, "quality", 2, 1, 1, &tally, &groups)); // nobody compares it
    assert_false(trial_collect_score(&run.trial, "other", 1, 1, 1, &tally, &groups));
    assert_true(tally.guards[1].baseline.count == 1 && tally.guards[1].baseline.sum == 0.5);
    assert_true(tally.guards[1].candidate.count == 1 && tally.guards[1].candidate.squares == 0.0625);
    assert_true(groups.guards[1][0].counts[3] == 1 && groups.guards[1][0].sums[3] == 0.5);
    assert_true(groups.guards[1][1].counts[0] == 1);
    assert_true(tally_guard_is_empty(&tally.guards[0]) && run.trial.guards[1].baseline.count == 0);
    trial_run_end(&run);
}

int test_tally(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_largest_tally_has_its_size),
        cmocka_unit_test(damage_is_refused_or_holds),
        cmocka_unit_test(odd_numbers_are_refused),
        cmocka_unit_test(what_does_not_hold_is_not_told),
        cmocka_unit_test(what_is_new_is_the_difference),
        cmocka_unit_test(lies_and_other_lives_are_told),
        cmocka_unit_test(a_sum_without_a_value_is_not_added),
        cmocka_unit_test(squares_are_no_less_than_values_have),
        cmocka_unit_test(rounding_is_no_lie),
        cmocka_unit_test(what_a_guard_does_not_count_does_not_fit),
        cmocka_unit_test(time_passes_by_the_clock),
        cmocka_unit_test(scores_go_to_their_guard),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}

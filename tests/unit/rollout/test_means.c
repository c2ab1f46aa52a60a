// Means, the sample ratio, groups of units, sizes and winners: what must hold of each whatever the figures.
#include "base/random.h"
#include "rollout/cluster.h"
#include "rollout/mean.h"
#include "rollout/sample_ratio.h"
#include "rollout/sample_size.h"
#include "rollout/winner.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// cmocka compares in single precision.
#define NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static double share_of(struct random_state *random) {
    return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

static double deviation_of(struct random_state *random) {
    return sqrt(-2 * log(share_of(random))) * cos(6.283185307179586 * share_of(random));
}

static void values_and_their_sums_are_the_same(void **state) {
    (void)state;
    struct random_state random;
    struct mean one = {0}, many = {0};
    random_seed_fixed(&random, 1);
    for (int tick = 0; tick < 50; tick++) {
        double count = 0, sum = 0, squares = 0;
        for (uint64_t left = random_below(&random, 20); left; left--) {
            double value = exp(deviation_of(&random));
            mean_add(&one, value);
            count++, sum += value, squares += value * value;
        }
        mean_merge(&many, count, sum, squares); // also of ticks without any
    }
    NEAR(one.count, many.count, 0);
    NEAR(one.mean, many.mean, 1e-12);
    NEAR(one.deviations, many.deviations, 1e-9 * one.deviations);
}

// Neither the unit of the values nor the order of adding the arms matters, only which is which.
static void units_of_measure_do_not_matter(void **state) {
    (void)state;
    struct mean a = {500, 2, 700}, b = {400, 2.3, 800};
    struct mean_margins margins = {1, 0, 1, 1};
    struct mean_difference difference, cents, turned;
    double tuning = mean_tuning(2000, 0.05);
    assert_true(mean_compare(&a, &b, &margins, &difference));
    struct mean ac = {500, 200, 7000000}, bc = {400, 230, 8000000};
    assert_true(mean_compare(&ac, &bc, &margins, &cents));
    NEAR(mean_log_e(&difference, tuning), mean_log_e(&cents, tuning), 1e-9);
    assert_true(mean_compare(&b, &a, &margins, &turned));
    NEAR(turned.difference, -difference.difference, 1e-12);
}

static void larger_differences_say_more(void **state) {
    (void)state;
    struct mean baseline = {1000, 10, 4000};
    struct mean_margins margins = {1, 0, 1, 1};
    double before = -INFINITY, tuning = mean_tuning(2000, 0.05);
    for (double mean = 0; mean < 20; mean += 0.01) {
        struct mean candidate = {1000, mean, 4000};
        struct mean_difference difference;
        assert_true(mean_compare(&baseline, &candidate, &margins, &difference));
        double log_e = mean_log_e(&difference, tuning);
        assert_true(isfinite(log_e) && log_e > before);
        before = log_e;
    }
    struct mean few = {1, 10, 0};
    struct mean_difference difference;
    assert_false(mean_compare(&few, &baseline, &margins, &difference));
    assert_false(mean_compare(&baseline, &few, &margins, &difference));
}

// Variances down to the least number there is, and figures whose squares are none: evidence is a number, and
// as large on the one side as it is small on the other.
static void no_figures_say_nothing_but_numbers(void **state) {
    (void)state;
    static const double variances[] = {5e-324, 1.5e-309, 1e-200, 1e-20, 1, 1e200, 1e300};
    static const double sizes[] = {1e-15, 1, 4656, 1e16};
    double tuning = mean_tuning(2000, 0.05);
    for (size_t i = 0; i < sizeof variances / sizeof *variances; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            double before = -INFINITY;
            for (int power = 100; power >= -300; power -= 10) { // from far below to far above
                struct mean_difference down = {-pow(10, power), variances[i], sizes[k]}, up = down;
                up.difference = -down.difference;
                double low = mean_log_e(&down, tuning), high = mean_log_e(&up, tuning);
                assert_true(isfinite(low) && isfinite(high));
                assert_true(low >= before && high >= low);
                before = low;
            }
        }
    }
}

// log(2 / sqrt(1 + u)) + x²/2 + log Phi(x) of u = 1, so that the two are near 10^9 and what they leave is 20.
static void the_far_side_is_no_rounding(void **state) {
    (void)state;
    struct mean_difference far = {-sqrt(2) * 41000, 1, 1000};
    double tuning = 1.0 / 1000, want = 0.5 * log(2) - log(41000) - 0.5 * log(2 * 3.14159265358979323846);
    NEAR(mean_log_e(&far, tuning), want, 1e-9);
}

// What is said to be missing is what is missing.
static void the_rest_is_foretold(void **state) {
    (void)state;
    double tuning = mean_tuning(2000, 0.05), needed = log(20);
    struct mean_difference now = {0.02, 0.001, 200}, never = {-0.02, 0.001, 200}, there = {2, 0.001, 200};
    double times = mean_times(&now, tuning, needed);
    assert_true(times > 1 && times < 100);
    struct mean_difference then = {0.02, 0.001 / times, 200 * times};
    assert_true(mean_log_e(&then, tuning) >= needed);
    struct mean_difference before = {0.02, 0.001 / (0.99 * times), 200 * 0.99 * times};
    assert_true(mean_log_e(&before, tuning) < needed);
    assert_true(isinf(mean_times(&never, tuning, needed)));
    assert_true(mean_times(&there, tuning, needed) == 1);
}

// The bounds hold at every look: of 300 streams of equal arms, hardly any bound ever excludes 0.
static void bounds_hold_at_every_look(void **state) {
    (void)state;
    int excluded = 0;
    double tuning = mean_tuning(2000, 0.05);
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct random_state random;
        struct mean arms[2] = {{0}};
        bool out = false;
        random_seed_fixed(&random, 77 + seed);
        for (int i = 0; i < 3000; i++) {
            mean_add(&arms[i % 2], deviation_of(&random));
            struct mean_difference difference;
            if (i < 100 || i % 10 ||
                !mean_compare(&arms[0], &arms[1], &(struct mean_margins){1, 0, 1, 1}, &difference))
                continue;
            out = out || difference.difference - mean_margin(&difference, tuning, 0.05) > 0;
        }
        excluded += out;
    }
    assert_true(excluded <= 15); // 5 % of them
}

// All outcomes of a few units: the expected e-value is exactly 1 when the shares are right.
static void a_right_ratio_expects_one(void **state) {
    (void)state;
    double shares[] = {0.7, 0.25, 0, 0.05}, sum = 0;
    int n = 8;
    for (int a = 0; a <= n; a++) {
        for (int b = 0; a + b <= n; b++) {
            int c = n - a - b;
            uint64_t units[] = {(uint64_t)a, (uint64_t)b, 99,
                                (uint64_t)c}; // arms without a share are left out
            double chance = exp(lgamma(n + 1.0) - lgamma(a + 1.0) - lgamma(b + 1.0) - lgamma(c + 1.0)) *
                            pow(0.7, a) * pow(0.25, b) * pow(0.05, c);
            sum += chance * exp(sample_ratio_log_e(units, shares, 4, 20));
        }
    }
    NEAR(sum, 1, 1e-9);
}

static void a_wrong_ratio_is_found(void **state) {
    (void)state;
    double shares[] = {0.95, 0.05};
    assert_true(sample_ratio_log_e((uint64_t[]){9500, 500}, shares, 2, SAMPLE_RATIO_CONCENTRATION) <
                log(1 / SAMPLE_RATIO_ALPHA));
    assert_true(sample_ratio_log_e((uint64_t[]){9300, 700}, shares, 2, SAMPLE_RATIO_CONCENTRATION) >
                log(1 / SAMPLE_RATIO_ALPHA));
}

// Units that fail with all of their requests or with none: a group of 50 requests says what one would.
static void groups_count_as_what_they_are(void **state) {
    (void)state;
    double requests[400], events[400], singles[400];
    for (int i = 0; i < 400; i++) {
        requests[i] = 50;
        events[i] = i % 10 ? 0 : 50;
        singles[i] = 5;
    }
    NEAR(cluster_design_effect(requests, events, 400, -1), 50, 0.5);
    NEAR(cluster_design_effect(requests, singles, 400, -1), 1, 0); // never below
    struct cluster_ratio ratio = cluster_ratio(requests, events, 400);
    NEAR(ratio.ratio, 0.1, 1e-12);
    NEAR(cluster_design_effect_of_both(&ratio, &ratio), 50, 0.5);
    NEAR(cluster_design_effect(requests, events, 1, -1), 1, 0);
    assert_true(isinf(cluster_ratio(requests, events, 1).variance));
}

// Values whose variance is the least there is beside groups that differ: evidence is divided by the effect,
// and the journal keeps it, so that it is a number.
static void an_effect_is_a_number(void **state) {
    (void)state;
    double requests[30], sums[30];
    for (int i = 0; i < 30; i++) {
        requests[i] = 1000;
        sums[i] = i;
    }
    assert_true(isfinite(cluster_design_effect(requests, sums, 30, 5e-324)));
    assert_true(cluster_design_effect(requests, sums, 30, 5e-324) > 1e15);
    NEAR(cluster_design_effect(requests, sums, 30, 0), 1, 0);
}

static void sizes_follow_the_question(void **state) {
    (void)state;
    struct sample_question question = {0.005, 0.05, 0.05, 1, 0, 0.05, 11, 0.8, true};
    double size = sample_size(&question), before = size;
    for (question.candidate = 0.06; question.candidate < 1; question.candidate += 0.05) {
        assert_true(sample_size(&question) < before); // larger harm is seen sooner
        before = sample_size(&question);
    }
    question.candidate = 0.05;
    question.power = 0.95;
    assert_true(sample_size(&question) > size);
    question.power = 0.8;
    question.alpha = 0.01;
    assert_true(sample_size(&question) > size);
    question.candidate = 0.005; // on the line: never
    assert_true(sample_size(&question) > 1e15);
}

static void a_winner_beats_everybody(void **state) {
    (void)state;
    double enough = log(3 / 0.05);
    double matrix[9] = {0, enough, enough - 0.01, 0, 0, 0, 0, 0, 0};
    assert_int_equal(winner_of(matrix, 3, 0.05), -1);
    matrix[2] = enough;
    assert_int_equal(winner_of(matrix, 3, 0.05), 0);
    assert_int_equal(winner_of(matrix, 1, 0.05), -1);
    assert_int_equal(winner_of((double[]){0, 0, 5, 0}, 2, 0.05), 1);
    assert_int_equal(winner_of((double[]){0, 0, 5, 0}, 2, 0.001), -1);
}

int test_means(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_their_sums_are_the_same),
        cmocka_unit_test(units_of_measure_do_not_matter),
        cmocka_unit_test(larger_differences_say_more),
        cmocka_unit_test(no_figures_say_nothing_but_numbers),
        cmocka_unit_test(the_far_side_is_no_rounding),
        cmocka_unit_test(the_rest_is_foretold),
        cmocka_unit_test(bounds_hold_at_every_look),
        cmocka_unit_test(a_right_ratio_expects_one),
        cmocka_unit_test(a_wrong_ratio_is_found),
        cmocka_unit_test(groups_count_as_what_they_are),
        cmocka_unit_test(an_effect_is_a_number),
        cmocka_unit_test(sizes_follow_the_question),
        cmocka_unit_test(a_winner_beats_everybody),
    };
    return cmocka_run_group_tests_name("means", tests, NULL, NULL);
}

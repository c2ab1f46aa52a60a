// two_sample and what feeds it: the projection, batches that are fractions, exceedance.
#include "base/random.h"
#include "rollout/exceedance.h"
#include "rollout/two_sample.h"
#include "unit.h"

#include <math.h>
#include <string.h>

// cmocka compares in single precision.
#define NEAR(a, b, within) assert_true(fabs((a) - (b)) <= (within))

static double entropy(double p, double q) {
    return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q));
}

static double share_of(struct random_state *random) {
    return ((double)(random_next(random) >> 11) + 0.5) / 9007199254740992.0;
}

// On the line, and nearer than the points of the line beside it.
static void the_projection_is_the_nearest_point(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 1);
    int tried = 0;
    while (tried < 3000) {
        double rho = 0.25 + 2 * share_of(&random), delta = 0.2 * share_of(&random) - 0.1;
        double tb = pow(share_of(&random), 3), tc = pow(share_of(&random), 3), line = rho * tb + delta;
        double nb = 1 + floor(1000 * share_of(&random)), nc = 1 + floor(50 * share_of(&random)), b, c;
        if (line <= 0.001 || line >= 0.999 || (tc - delta) / rho <= 0.001 || (tc - delta) / rho >= 0.999)
            continue;
        two_sample_project(nb, nc, tb, tc, rho, delta, &b, &c);
        NEAR(c, rho * b + delta, 1e-15);
        assert_true(b > 0 && b < 1 && c > 0 && c < 1);
        double here = nb * entropy(tb, b) + nc * entropy(tc, c);
        for (int way = -1; way <= 1; way += 2) {
            double beside = b * (1 + way * 1e-4), other = rho * beside + delta;
            if (beside < 1 && other > 0 && other < 1)
                assert_true(nb * entropy(tb, beside) + nc * entropy(tc, other) >= here - 1e-12 * (1 + here));
        }
        tried++;
    }
}

static void the_diagonal_is_the_pooled_rate(void **state) {
    (void)state;
    double b, c, near_b, near_c;
    two_sample_project(95, 5, 0.01, 0.2, 1, 0, &b, &c);
    NEAR(b, (95 * 0.01 + 5 * 0.2) / 100, 1e-15);
    NEAR(c, b, 0);
    two_sample_project(95, 5, 0.01, 0.2, 1, 1e-13, &near_b, &near_c); // the general way says the same
    NEAR(near_b, b, 1e-11);
}

static struct two_sample harm(double rho, double delta) {
    struct two_sample process;
    two_sample_init(&process, &(struct two_sample_settings){.direction = TWO_SAMPLE_HARM,
                                                            .rho = rho,
                                                            .delta = delta,
                                                            .prior_mean = 0.01,
                                                            .prior_weight = 50,
                                                            .restart_every = 10,
                                                            .decay = 1});
    return process;
}

// Scores between 0 and 1 instead of yes or no: the evidence is at most what coins with these odds would
// bring on average, so that sums of scores may be fed as well.
static void scores_bring_no_more_than_coins(void **state) {
    (void)state;
    for (int i = 1; i < 10; i++) {
        double score = i / 10.0;
        double scores = exp(two_sample_batch(1, score, 1, score, 0.1, 0.4, 1, 0));
        double coins = 0;
        for (int kb = 0; kb < 2; kb++)
            for (int kc = 0; kc < 2; kc++)
                coins += (kb ? score : 1 - score) * (kc ? score : 1 - score) *
                         exp(two_sample_batch(1, kb, 1, kc, 0.1, 0.4, 1, 0));
        assert_true(scores <= coins + 1e-12);
    }
}

// The journal keeps the bytes of a process: brought back, it goes on as if nothing had happened.
static void its_state_is_its_bytes(void **state) {
    (void)state;
    struct two_sample process = harm(1.5, 0.001), back;
    unsigned char kept[sizeof process];
    two_sample_seed(&process, 1000, 5);
    for (int i = 0; i < 57; i++)
        two_sample_update(&process, 95, i % 2, 5, i % 7 == 0);
    memcpy(kept, &process, sizeof kept);
    memcpy(&back, kept, sizeof back);
    for (int i = 0; i < 57; i++) {
        two_sample_update(&process, 90, 1, 10, i % 5 == 0);
        two_sample_update(&back, 90, 1, 10, i % 5 == 0);
    }
    NEAR(two_sample_log_e(&process, 1), two_sample_log_e(&back, 1), 0);
}

static void extreme_rates_stay_finite(void **state) {
    (void)state;
    static const double lines[][2] = {{1, 0}, {1.5, 0.001}, {1, 0.5}, {3, 0.3}, {0, 0.9}, {1, 0.9999}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (int direction = 0; direction < 2; direction++) {
            struct two_sample process = harm(lines[i][0], lines[i][1]);
            struct two_sample_settings settings = process.settings;
            settings.direction = direction ? TWO_SAMPLE_HARM : TWO_SAMPLE_NON_INFERIOR;
            two_sample_init(&process, &settings);
            for (int k = 0; k < 400; k++) {
                double all = k % 3 == 0 ? 1e6 : 1;
                two_sample_update(&process, all, k % 2 ? all : 0, 1000, k % 5 ? 1000 : 0);
                assert_true(isfinite(two_sample_log_e(&process, 1)));
                assert_true(isfinite(two_sample_log_e(&process, 7.5)));
            }
        }
    }
}

static void late_harm_is_seen_by_a_restart(void **state) {
    (void)state;
    struct two_sample with = harm(1, 0), without = harm(1, 0);
    without.settings.restart_every = 0;
    for (int i = 0; i < 4000; i++) { // half a per cent of both for a long time
        two_sample_update(&with, 190, 1, 10, i % 20 == 0);
        two_sample_update(&without, 190, 1, 10, i % 20 == 0);
    }
    int seen[2] = {0};
    for (int i = 1; i < 2000 && (!seen[0] || !seen[1]); i++) { // then one in ten of the candidate's
        two_sample_update(&with, 190, 1, 10, 1);
        two_sample_update(&without, 190, 1, 10, 1);
        seen[0] = !seen[0] && two_sample_log_e(&with, 1) >= log(20) ? i : seen[0];
        seen[1] = !seen[1] && two_sample_log_e(&without, 1) >= log(20) ? i : seen[1];
    }
    assert_in_range(seen[0], 1, 20);
    assert_true(seen[1] > seen[0]);
}

static void the_bucket_is_the_quantile(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 3);
    for (int round = 0; round < 500; round++) {
        uint64_t histogram[40] = {0}, all = 0, below = 0, counted;
        for (int i = 0; i < 40; i++)
            all += histogram[i] = random_below(&random, 4) ? random_below(&random, 30) : 0;
        if (!all)
            continue;
        double quantile = 0.05 + 0.94 * share_of(&random);
        size_t bucket = exceedance_bucket(histogram, 40, quantile);
        for (size_t i = 0; i <= bucket; i++)
            below += histogram[i];
        assert_true((double)below >= quantile * (double)all);
        assert_true((double)(below - histogram[bucket]) < quantile * (double)all);
        assert_int_equal(exceedance_count(histogram, 40, bucket, &counted), all - below);
        assert_int_equal(counted, all);
    }
    uint64_t none[8] = {0};
    assert_int_equal(exceedance_bucket(none, 8, 0.95), 7);
    assert_int_equal(exceedance_shift(0, 32), 0);
    assert_int_equal(exceedance_shift(1, 32), 32); // exactly an octave, not one bucket more
    assert_int_equal(exceedance_shift(0.1, 32), 5);
    assert_int_equal(exceedance_shift(0.0001, 32), 1);
}

// A margin of 100 points and more, and a baseline that fails so often that the margin ends above 100 %: there
// is no null to speak against, and what is said of it is a number.
static void a_line_outside_says_nothing(void **state) {
    (void)state;
    static const double deltas[] = {0.5, 0.99, 0.9999999999, 1, 1.01, 2, 10000};
    static const double batches[][4] = {
        {1e8, 1, 207, 207}, {100, 100, 2, 2}, {1, 1, 1e15, 1}, {9e15, 9e15, 1, 0}, {9e15, 0, 9e15, 9e15}};
    for (size_t i = 0; i < sizeof deltas / sizeof *deltas; i++) {
        for (int direction = TWO_SAMPLE_HARM; direction <= TWO_SAMPLE_NON_INFERIOR; direction++) {
            struct two_sample_settings settings = {.direction = (enum two_sample_direction)direction,
                                                   .rho = 1,
                                                   .delta = deltas[i],
                                                   .prior_mean = 0.01,
                                                   .prior_weight = 50,
                                                   .restart_every = 1,
                                                   .decay = 1};
            struct two_sample process;
            two_sample_init(&process, &settings);
            for (int k = 0; k < 25; k++) {
                const double *batch = batches[k % 5];
                two_sample_update(&process, batch[0], batch[1], batch[2], batch[3]);
                assert_true(isfinite(two_sample_log_e(&process, 1)));
                assert_true(isfinite(two_sample_evidence(&process, 9e15)));
            }
            assert_true(deltas[i] <= 1 || two_sample_log_e(&process, 1) <= 0);
        }
    }
    double none = two_sample_batch(100, 99, 1e6, 3, 0.99, 0.3, 1, 1.01);
    assert_true(none == 0);
}

int test_two_sample(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_projection_is_the_nearest_point),
        cmocka_unit_test(the_diagonal_is_the_pooled_rate),
        cmocka_unit_test(scores_bring_no_more_than_coins),
        cmocka_unit_test(its_state_is_its_bytes),
        cmocka_unit_test(extreme_rates_stay_finite),
        cmocka_unit_test(late_harm_is_seen_by_a_restart),
        cmocka_unit_test(the_bucket_is_the_quantile),
        cmocka_unit_test(a_line_outside_says_nothing),
    };
    return cmocka_run_group_tests_name("two_sample", tests, NULL, NULL);
}

// A contest over simulated ticks and scores, seeded.
#include "base/random.h"
#include "rollout/contest.h"
#include "unit.h"

#include <math.h>
#include <string.h>

#define START UINT64_C(100000)

struct world {
    double error_rate[3];
    uint64_t seed;
    uint32_t limit_ms[3];
};

static bool read_tick(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct world *world = context;
    struct random_state random;
    random_seed_fixed(&random, world->seed * 1000003 + tick * 7 + arm);
    *cell = (struct experiment_cell){.tick = tick, .started = 50, .version = 2};
    for (int i = 0; i < 50; i++)
        cell->failed += (double)(random_next(&random) >> 11) / 9007199254740992.0 < world->error_rate[arm];
    return true;
}

static struct contest_settings settings_of(enum guard_kind kind, unsigned arms) {
    struct contest_settings settings = {.goal = {.name = "goal", .kind = kind, .limit = NAN},
                                        .more_is_better = kind == GUARD_SCORE,
                                        .alpha = 0.05,
                                        .arms = {0, 1, 2},
                                        .count = arms,
                                        .horizon = 4};
    return settings;
}

static int after(const struct world *world, unsigned arms, unsigned ticks) {
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_ERROR_RATE, arms);
    struct trial_source source = {read_tick, (void *)world};
    contest_init(&contest, &settings, START);
    for (unsigned i = 1; i <= ticks; i++) {
        contest_advance(&contest, START + i, &source);
        if (contest_winner(&contest) >= 0)
            return contest_winner(&contest);
    }
    return -1;
}

static void fewer_errors_win(void **state) {
    (void)state;
    assert_int_equal(after(&(struct world){{0.05, 0.01, 0}, 1, {0}}, 2, 2000), 1);
    assert_int_equal(after(&(struct world){{0.05, 0.06, 0.01}, 2, {0}}, 3, 4000), 2);
}

// Slower than the threshold that all arms share; what failed is slow too.
static bool read_times(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct world *world = context;
    read_tick(context, arm, tick, cell);
    cell->limit_us[3] = 1000 * world->limit_ms[arm];
    cell->within[3] = cell->started - cell->failed;
    cell->failed = 0;
    return true;
}

static int faster_after(const struct world *world, unsigned ticks, double *requests) {
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_LATENCY, 2);
    struct trial_source source = {read_times, (void *)world};
    settings.goal.quantile = 0.95;
    settings.goal.slot = 3;
    contest_init(&contest, &settings, START);
    for (unsigned i = 1; i <= ticks; i++)
        contest_advance(&contest, START + i, &source);
    contest_estimate(&contest, 0, requests);
    return contest_winner(&contest);
}

static void the_faster_one_wins(void **state) {
    (void)state;
    double requests;
    assert_int_equal(faster_after(&(struct world){{0.05, 0.01, 0}, 1, {20, 20}}, 2000, &requests), 1);
    assert_int_equal(faster_after(&(struct world){{0.05, 0.05, 0}, 1, {20, 20}}, 400, &requests), -1);
    // A tick matures when the threshold has passed: of the last second nothing is known yet.
    assert_int_equal(faster_after(&(struct world){{0.05, 0.01, 0}, 1, {2500, 2500}}, 11, &requests), -1);
    assert_true(requests == 0);
}

static void equal_variants_have_no_winner(void **state) {
    (void)state;
    int winners = 0;
    for (uint64_t seed = 0; seed < 40; seed++)
        winners += after(&(struct world){{0.02, 0.02, 0}, 100 + seed, {0}}, 2, 300) >= 0;
    assert_in_range(winners, 0, 3); // at most one in twenty
}

static double score(struct random_state *random, double good) {
    return (double)(random_next(random) >> 11) / 9007199254740992.0 < good ? 1 : 0;
}

// Three points of quality more: found, and the right one.
static void three_points_of_quality_win(void **state) {
    (void)state;
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_SCORE, 2);
    struct random_state random;
    random_seed_fixed(&random, 5);
    contest_init(&contest, &settings, START);
    int scores = 0;
    while (contest_winner(&contest) < 0 && scores < 60000) {
        contest_score(&contest, 0, score(&random, 0.80), SCORE_WITHOUT_UNIT);
        contest_score(&contest, 1, score(&random, 0.83), SCORE_WITHOUT_UNIT);
        scores += 2;
    }
    assert_int_equal(contest_winner(&contest), 1);
    for (int i = 0; i < 1000;
         i++, scores += 2) { // the interval is a little wider than the evidence is strong
        contest_score(&contest, 0, score(&random, 0.80), SCORE_WITHOUT_UNIT);
        contest_score(&contest, 1, score(&random, 0.83), SCORE_WITHOUT_UNIT);
    }
    struct contest_view view;
    contest_compare(&contest, 1, 0, &view);
    assert_true(view.low > 0 && view.low < 0.03 && view.high > 0.03);
    assert_true(view.log_e >= view.log_needed);
    double count;
    assert_float_equal(contest_estimate(&contest, 1, &count), 0.83, 0.02);
    assert_int_equal(count, scores / 2);
}

// The same figures, but units fail with all of their requests or none: they say less, and no winner comes
// of it.
static void units_that_hang_together_weaken_it(void **state) {
    (void)state;
    static struct contest contest;
    static struct experiment_group groups[EXPERIMENT_GROUPS];
    struct contest_settings settings = settings_of(GUARD_ERROR_RATE, 2);
    struct world world = {{0.05, 0.02, 0}, 3, {0}};
    struct trial_source source = {read_tick, &world};
    struct contest_view view, weaker;
    contest_init(&contest, &settings, START);
    contest_advance(&contest, START + 100, &source);
    contest_compare(&contest, 1, 0, &view);
    assert_int_equal(contest_winner(&contest), 1);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        groups[i] = (struct experiment_group){.requests = 40, .failed = i % 25 ? 0 : 40};
    contest_design(&contest, 0, groups);
    contest_compare(&contest, 1, 0, &weaker);
    assert_true(weaker.log_e < view.log_e / 10 && weaker.low < view.low && weaker.high > view.high);
    assert_int_equal(contest_winner(&contest), -1);
}

// Raters who are always pleased or never: each counts once, however often they say it. Equal variants stay
// equal.
static void scores_of_the_same_units_weaken_it(void **state) {
    (void)state;
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_SCORE, 2);
    int winners[2] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        for (int known = 0; known < 2; known++) { // whether the units are posted
            struct random_state random;
            bool pleased[2][100], won = false;
            random_seed_fixed(&random, 900 + seed);
            for (int i = 0; i < 200; i++)
                pleased[i % 2][i / 2] = score(&random, 0.7) > 0.5;
            contest_init(&contest, &settings, START);
            for (int i = 0; i < 4000 && !won; i++) {
                uint64_t arm = random_below(&random, 2), who = random_below(&random, 100);
                uint64_t hash = (arm * 100 + who) * UINT64_C(0x9e3779b97f4a7c15);
                contest_score(&contest, arm, pleased[arm][who] ? 1 : 0, known ? hash : SCORE_WITHOUT_UNIT);
                won = contest_winner(&contest) >= 0;
            }
            winners[known] += won;
        }
    }
    assert_true(winners[0] > 20); // taken for independent, equal variants look different
    assert_true(winners[1] <= 3); // 5 %
}

static void a_margin_must_be_exceeded(void **state) {
    (void)state;
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_SCORE, 2);
    struct random_state random;
    settings.margin = 0.05;
    random_seed_fixed(&random, 6);
    contest_init(&contest, &settings, START);
    for (int i = 0; i < 20000; i++) {
        contest_score(&contest, 0, score(&random, 0.80), SCORE_WITHOUT_UNIT);
        contest_score(&contest, 1, score(&random, 0.83), SCORE_WITHOUT_UNIT);
    }
    assert_int_equal(contest_winner(&contest), -1);
}

// Roughly: what is left is foretold from the difference so far.
static void it_says_how_much_is_missing(void **state) {
    (void)state;
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_SCORE, 2);
    struct random_state random;
    random_seed_fixed(&random, 7);
    contest_init(&contest, &settings, START);
    assert_true(isnan(contest_left(&contest)));
    for (int i = 0; i < 1500; i++) {
        contest_score(&contest, 0, score(&random, 0.70), SCORE_WITHOUT_UNIT);
        contest_score(&contest, 1, score(&random, 0.73), SCORE_WITHOUT_UNIT);
    }
    assert_int_equal(contest_winner(&contest), -1);
    double left = contest_left(&contest), came = 0;
    assert_true(left > 0);
    for (; contest_winner(&contest) < 0 && came < 100000; came += 2) {
        contest_score(&contest, 0, score(&random, 0.70), SCORE_WITHOUT_UNIT);
        contest_score(&contest, 1, score(&random, 0.73), SCORE_WITHOUT_UNIT);
    }
    assert_true(came > left / 10 && came < 10 * left);
    assert_true(contest_left(&contest) == 0);
}

int test_contest(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_errors_win),
        cmocka_unit_test(the_faster_one_wins),
        cmocka_unit_test(equal_variants_have_no_winner),
        cmocka_unit_test(three_points_of_quality_win),
        cmocka_unit_test(units_that_hang_together_weaken_it),
        cmocka_unit_test(scores_of_the_same_units_weaken_it),
        cmocka_unit_test(a_margin_must_be_exceeded),
        cmocka_unit_test(it_says_how_much_is_missing),
    };
    return cmocka_run_group_tests_name("contest", tests, NULL, NULL);
}

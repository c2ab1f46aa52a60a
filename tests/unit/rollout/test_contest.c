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

// ---- what cannot be read or compared

static bool read_other_versions(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    read_times(context, arm, tick, cell);
    cell->version = arm && tick % 2 ? 4 : 2;
    return true;
}

static bool read_unaimed(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    read_times(context, arm, tick, cell);
    if (tick % 2)
        cell->limit_us[3] = 0; // nothing was known of the baseline yet
    else if (tick % 4)
        cell->version = 0; // they were changing
    return true;
}

static bool read_every_second(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    return tick % 2 ? false : read_times(context, arm, tick, cell);
}

static double counted(bool (*read)(void *, size_t, uint64_t, struct experiment_cell *)) {
    static struct contest contest;
    struct world world = {{0.05, 0.01, 0}, 1, {20, 20}};
    struct contest_settings settings = settings_of(GUARD_LATENCY, 2);
    struct trial_source source = {read, &world};
    double requests;
    settings.goal.quantile = 0.95;
    settings.goal.slot = 3;
    contest_init(&contest, &settings, START);
    for (unsigned i = 1; i <= 402; i++)
        contest_advance(&contest, START + i, &source);
    contest_estimate(&contest, 0, &requests);
    return requests;
}

// Times are compared where all arms were held against the same threshold, and nowhere else.
static void what_has_no_threshold_is_left_out(void **state) {
    (void)state;
    double all = counted(read_times);
    assert_true(all > 19000 && all <= 20100);
    assert_true(fabs(counted(read_other_versions) - all / 2) <= 100);
    assert_true(fabs(counted(read_unaimed) - all / 4) <= 100);
    assert_true(fabs(counted(read_every_second) - all / 2) <= 100); // ticks that have gone
}

// After a stop of the clock only what the rings still hold is read.
static void it_does_not_read_what_has_gone(void **state) {
    (void)state;
    static struct contest contest;
    struct world world = {{0.05, 0.05, 0}, 1, {0}};
    struct contest_settings settings = settings_of(GUARD_ERROR_RATE, 2);
    struct trial_source source = {read_tick, &world};
    double requests;
    contest_init(&contest, &settings, START);
    contest_advance(&contest, START + 100000, &source);
    contest_estimate(&contest, 0, &requests);
    assert_true(requests > 0 && requests <= 50.0 * EXPERIMENT_RING);
    assert_true(contest.next > START + 99000);
}

static bool read_idle(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    read_tick(context, arm, tick, cell);
    if (arm == 1 && tick < START + 50)
        *cell = (struct experiment_cell){.tick = tick, .started = 2, .excluded = 2, .version = 2}; // 4xx only
    return true;
}

// What one arm does waits for the other: no pair is fed with one side.
static void an_arm_without_requests_is_waited_for(void **state) {
    (void)state;
    static struct contest contest;
    struct world world = {{0.5, 0.01, 0}, 1, {0}};
    struct contest_settings settings = settings_of(GUARD_ERROR_RATE, 2);
    struct trial_source source = {read_idle, &world};
    struct contest_view view;
    double requests;
    contest_init(&contest, &settings, START);
    contest_advance(&contest, START + 40, &source);
    contest_compare(&contest, 1, 0, &view);
    assert_true(view.log_e == 0 && isnan(view.difference));
    assert_true(isnan(contest_estimate(&contest, 1, &requests)) && requests == 0);
    assert_true(contest_estimate(&contest, 0, &requests) > 0.4 && requests > 1000);
    assert_int_equal(contest_winner(&contest), -1);
    contest_advance(&contest, START + 80, &source);
    assert_int_equal(contest_winner(&contest), 1);
}

// ---- costs

static bool read_costs(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    struct random_state random;
    random_seed_fixed(&random, tick * 7 + arm);
    *cell = (struct experiment_cell){.tick = tick, .started = 20, .version = 2};
    for (int i = 0; i < 20; i++) {
        double dollars =
            *(double *)context * (arm ? 0.001 : 0.002) * (1 + (double)random_below(&random, 100) / 100);
        cell->means[MEAN_COST].count++;
        cell->means[MEAN_COST].sum += dollars;
        cell->means[MEAN_COST].squares += dollars * dollars;
    }
    return true;
}

static void the_cheaper_one_wins(void **state) {
    (void)state;
    static struct contest contest;
    static struct experiment_group groups[EXPERIMENT_GROUPS];
    struct contest_settings settings = settings_of(GUARD_MEAN, 2);
    double dearer = 1, count;
    struct trial_source source = {read_costs, &dearer};
    settings.goal.mean = MEAN_COST;
    settings.margin = 10; // percent
    contest_init(&contest, &settings, START);
    contest_advance(&contest, START + 10, &source);
    assert_int_equal(contest_winner(&contest), -1); // of 200 values each nothing is said
    assert_true(contest_left(&contest) > 0);
    contest_advance(&contest, START + 100, &source);
    assert_int_equal(contest_winner(&contest), 1);
    assert_float_equal(contest_estimate(&contest, 0, &count), 0.003, 0.0003);
    assert_true(count > 1000);
    struct interval interval = contest_interval(&contest, 1);
    assert_true(interval.low > 0.001 && interval.low < 0.0015 && interval.high > 0.0015 &&
                interval.high < 0.002);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++) // users that cost nothing or much, all of their requests
        groups[i] = (struct experiment_group){.values = {20}, .sums = {i % 2 ? 0 : 20 * 0.006}};
    contest_design(&contest, 0, groups);
    assert_true(contest.designs[0].effect > 100);
    assert_int_equal(contest_winner(&contest), -1);
}

// How much is missing where events are counted: in proportion to what was seen.
static void rates_say_how_much_is_missing(void **state) {
    (void)state;
    static struct contest contest;
    struct world world = {{0.05, 0.03, 0}, 9, {0}};
    struct contest_settings settings = settings_of(GUARD_ERROR_RATE, 2);
    struct trial_source source = {read_tick, &world};
    contest_init(&contest, &settings, START);
    assert_true(isnan(contest_left(&contest)));
    unsigned ticks = 1;
    while (contest_winner(&contest) < 0 && isnan(contest_left(&contest)) && ticks < 1000)
        contest_advance(&contest, START + ++ticks, &source);
    assert_int_equal(contest_winner(&contest), -1);
    assert_true(contest_left(&contest) > 0);
    while (contest_winner(&contest) < 0 && ticks < 5000)
        contest_advance(&contest, START + ++ticks, &source);
    assert_int_equal(contest_winner(&contest), 1);
    assert_true(contest_left(&contest) == 0);
    struct interval interval = contest_interval(&contest, 0);
    assert_true(interval.low > 0.02 && interval.low < 0.05 && interval.high > 0.05 && interval.high < 0.1);
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

// Between all that have a weight: who gets nothing is not compared.
static void it_is_read_from_the_file(void **state) {
    (void)state;
    static const char text[] =
        "listeners: [{address: '127.0.0.1:0'}]\n"
        "pools: {p: {endpoints: [http://127.0.0.1:9]}}\n"
        "routes:\n"
        "  - name: chat\n"
        "    variants: {a: {pool: p, weight: 60}, dark: {pool: p, weight: 0}, b: {pool: p, weight: 40}}\n"
        "    rollout: {strategy: ab, confidence: 90, horizon: 10s, goal: {metric: quality, margin: 3}}\n";
    struct diagnostics diagnostics;
    struct config *config = config_parse("test.yaml", slice_of(text), &diagnostics);
    assert_non_null(config);
    struct contest_settings settings;
    contest_read(&settings, &config->routes[0]);
    assert_int_equal(settings.count, 2);
    assert_int_equal(settings.arms[0], 0);
    assert_int_equal(settings.arms[1], 2);
    assert_true(settings.more_is_better);
    assert_float_equal(settings.margin, 3, 0);
    assert_float_equal(settings.alpha, 0.1, 1e-12);
    assert_int_equal(settings.horizon, 40); // ticks of 250 ms
    assert_string_equal(settings.goal.name, "quality");
    assert_int_equal(settings.goal.kind, GUARD_SCORE);
    struct goal_config *goal = config->routes[0].rollout->goal;
    goal->metric = "ttft_p95";
    goal->direction = GOAL_DOWN;
    contest_read(&settings, &config->routes[0]);
    assert_int_equal(settings.goal.kind, GUARD_LATENCY);
    assert_true(settings.goal.first_byte);
    assert_false(settings.more_is_better);
    config_unref(config);
}

// As of a guard: scores whose variance is nearly nothing.
static void scores_far_apart_have_a_winner(void **state) {
    (void)state;
    static struct contest contest;
    struct contest_settings settings = settings_of(GUARD_SCORE, 2);
    contest_init(&contest, &settings, START);
    contest.means[0] = (struct mean){94000, 1e-314, 1.5e-309};
    contest.means[1] = (struct mean){4900, 0.25, 0};
    assert_int_equal(contest_winner(&contest), 1);
    for (unsigned i = 0; i < 2; i++) {
        struct contest_view view;
        contest_compare(&contest, i, 1 - i, &view);
        assert_true(isfinite(view.log_e) && (view.log_e > 1000) == (i == 1));
    }
}

int test_contest(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fewer_errors_win),
        cmocka_unit_test(the_faster_one_wins),
        cmocka_unit_test(what_has_no_threshold_is_left_out),
        cmocka_unit_test(it_does_not_read_what_has_gone),
        cmocka_unit_test(an_arm_without_requests_is_waited_for),
        cmocka_unit_test(the_cheaper_one_wins),
        cmocka_unit_test(rates_say_how_much_is_missing),
        cmocka_unit_test(equal_variants_have_no_winner),
        cmocka_unit_test(three_points_of_quality_win),
        cmocka_unit_test(units_that_hang_together_weaken_it),
        cmocka_unit_test(scores_of_the_same_units_weaken_it),
        cmocka_unit_test(a_margin_must_be_exceeded),
        cmocka_unit_test(it_says_how_much_is_missing),
        cmocka_unit_test(scores_far_apart_have_a_winner),
        cmocka_unit_test(it_is_read_from_the_file),
    };
    return cmocka_run_group_tests_name("contest", tests, NULL, NULL);
}

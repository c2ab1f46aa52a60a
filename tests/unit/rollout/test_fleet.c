// A fleet: what several instances count says the same as one instance's figures, whatever is lost, comes
// twice or changes on the way; and strata that differ do not deceive.
#include "base/random.h"
#include "fleet_run.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 4 // ticks

static const char all_guards[] = "guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 20}, "
                                 "cost_per_request: {margin: 10}, quality: {margin: 0.05}}, horizon: 1500ms";

struct fleet { // large: on the heap
    struct trial_run run;
    struct traffic traffic;
    struct trial_settings settings;
    struct contest_settings contest;
    struct member members[FLEET_MOST + 1]; // the last one sees everything
    struct judge judge, one;               // of the members; of the one that sees everything
    struct tally_groups groups;
};

static struct fleet *fleet_new(const char *guards, enum guard_kind goal, uint64_t seed) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    trial_run_begin(&fleet->run, guards, seed);
    fleet->settings = fleet->run.trial.settings;
    fleet->contest = fleet_contest(goal);
    fleet->traffic = (struct traffic){.members = 5,
                                      .instead = FLEET_MOST,
                                      .per_tick = {40, 10, 10},
                                      .error_rate = {0.01, 0.02, 0.03},
                                      .slow_rate = {0.05, 0.07, 0.05},
                                      .cost = {0.01, 0.0105, 0.013},
                                      .score = {0.7, 0.68, 0.6},
                                      .now = START,
                                      .seed = seed};
    for (unsigned i = 0; i <= FLEET_ALL; i++)
        member_begin(&fleet->members[i], &fleet->traffic, i, &fleet->settings, &fleet->contest);
    judge_begin(&fleet->judge, &fleet->settings, &fleet->contest);
    judge_begin(&fleet->one, &fleet->settings, &fleet->contest);
    return fleet;
}

static void fleet_free(struct fleet *fleet) {
    trial_run_end(&fleet->run);
    free(fleet);
}

static void fleet_goes_on(struct fleet *fleet, unsigned ticks) {
    for (; ticks; ticks--) {
        fleet->traffic.now++;
        for (unsigned i = 0; i <= FLEET_ALL; i++)
            member_tick(&fleet->members[i]);
    }
}

// `heard`: bits of the members whose tallies arrive.
static void judge_second(struct fleet *fleet, struct judge *judge, unsigned heard) {
    struct tally pooled;
    tally_reset(&pooled, 7);
    for (unsigned i = 0; i <= FLEET_ALL; i++)
        if (heard >> i & 1)
            judge_hears(judge, &fleet->members[i], &pooled);
    judge_takes(judge, &pooled, 1000);
}
#define MEMBERS ((1u << FLEET_MOST) - 1)
#define ONE     (1u << FLEET_ALL)

static void look_at_groups(struct fleet *fleet) {
    tally_groups_reset(&fleet->groups, 7);
    for (unsigned i = 0; i < FLEET_MOST; i++)
        tally_groups_add(&fleet->groups, &fleet->members[i].groups);
    trial_take_groups(&fleet->judge.trial, &fleet->groups);
    contest_take_groups(&fleet->judge.contest, &fleet->groups);
    trial_take_groups(&fleet->one.trial, &fleet->members[FLEET_ALL].groups);
    contest_take_groups(&fleet->one.contest, &fleet->members[FLEET_ALL].groups);
}

static void several_say_what_one_says(enum guard_kind goal, uint64_t seed) {
    struct fleet *fleet = fleet_new(all_guards, goal, seed);
    for (int second = 0; second < 200; second++) {
        fleet_goes_on(fleet, SECOND);
        judge_second(fleet, &fleet->judge, MEMBERS);
        judge_second(fleet, &fleet->one, ONE);
        if (second % 10 == 9)
            look_at_groups(fleet);
        judges_agree(&fleet->judge, &fleet->one, 1e-12);
    }
    const struct guard_outcome *errors = &fleet->judge.outcomes[0];
    assert_true(errors->candidate_count > 7000 && errors->candidate_events > 100);
    for (unsigned i = 0; i < 4; i++)
        assert_true(fleet->judge.outcomes[i].log_harm != 0 && fleet->judge.outcomes[i].candidate_count > 0);
    fleet_free(fleet);
}

static void several_say_what_one_says_of_errors(void **state) {
    (void)state;
    several_say_what_one_says(GUARD_ERROR_RATE, 31);
}

static void several_say_what_one_says_of_times(void **state) {
    (void)state;
    several_say_what_one_says(GUARD_LATENCY, 32);
}

static void several_say_what_one_says_of_costs(void **state) {
    (void)state;
    several_say_what_one_says(GUARD_MEAN, 33);
}

static void several_say_what_one_says_of_scores(void **state) {
    (void)state;
    several_say_what_one_says(GUARD_SCORE, 34);
}

// With a batch for each tick, a tally says to the last bit what the guards of a proxy of its own know.
static void a_tally_of_each_tick_is_what_one_alone_knows(void **state) {
    (void)state;
    struct fleet *fleet = fleet_new("guards: {error_rate: {margin: 0.5}, latency_p95: {margin: 20}, "
                                    "cost_per_request: {margin: 10}}, horizon: 1500ms",
                                    GUARD_ERROR_RATE, 35);
    struct member *all = &fleet->members[FLEET_ALL];
    struct trial alone = fleet->one.trial;
    struct contest *contest = malloc(sizeof *contest);
    struct trial_source source = {traffic_read, all};
    *contest = fleet->one.contest;
    for (int tick = 0; tick < 600; tick++) {
        struct tally pooled;
        tally_reset(&pooled, 7);
        fleet->traffic.now++;
        trial_advance(&alone, fleet->traffic.now, 250, &source);
        contest_advance(contest, fleet->traffic.now, &source);
        trial_collect(&all->trial, fleet->traffic.now, &source, &all->tally);
        contest_collect(&all->contest, fleet->traffic.now, &source, &all->tally);
        judge_hears(&fleet->one, all, &pooled);
        judge_takes(&fleet->one, &pooled, 250);
    }
    const struct trial *judged = &fleet->one.trial;
    for (unsigned i = 0; i < 3; i++) {
        const struct guard *a = &alone.guards[i], *b = &judged->guards[i];
        assert_memory_equal(&a->harm, &b->harm, 5 * sizeof a->harm); // soon, fine, step, watch
        assert_memory_equal(&a->waiting, &b->waiting, 5 * sizeof a->waiting);
        assert_true(a->total.candidate > 0 || a->candidate.count > 0);
        assert_true(a->candidate.count == b->candidate.count && a->silent_ms == b->silent_ms);
        assert_true(fabs(a->candidate.mean - b->candidate.mean) < 1e-15);
        assert_true(fabs(a->candidate.deviations - b->candidate.deviations) < 1e-12);
    }
    assert_int_equal(alone.step_requests, judged->step_requests);
    assert_true(fabs(alone.share - judged->share) < 1e-12);
    assert_memory_equal(contest->pairs, fleet->one.contest.pairs, sizeof contest->pairs);
    assert_memory_equal(contest->totals, fleet->one.contest.totals, sizeof contest->totals);
    free(contest);
    fleet_free(fleet);
}

// ---- what happens on the way

static bool counts_are_the_same(const struct judge *a, const struct judge *b) {
    bool same = a->trial.step_requests == b->trial.step_requests;
    for (unsigned i = 0; i < a->trial.guard_count; i++) {
        const struct guard *one = &a->trial.guards[i], *other = &b->trial.guards[i];
        same = same && memcmp(&one->total, &other->total, 2 * sizeof one->total) == 0 &&
               memcmp(&one->history, &other->history, sizeof one->history) == 0 &&
               one->candidate.count == other->candidate.count &&
               fabs(one->candidate.mean - other->candidate.mean) < 1e-12;
    }
    return same && memcmp(a->contest.totals, b->contest.totals, sizeof a->contest.totals) == 0;
}

static void updates_that_are_lost_lose_nothing(void **state) {
    (void)state;
    struct random_state random;
    struct fleet *fleet = fleet_new(all_guards, GUARD_ERROR_RATE, 36);
    random_seed_fixed(&random, 36);
    for (int second = 0; second < 100; second++) {
        fleet_goes_on(fleet, SECOND);
        judge_second(fleet, &fleet->judge, (unsigned)random_below(&random, MEMBERS + 1));
        judge_second(fleet, &fleet->one, ONE);
    }
    assert_false(counts_are_the_same(&fleet->judge, &fleet->one));
    judge_second(fleet, &fleet->judge, MEMBERS);
    judge_second(fleet, &fleet->one, ONE);
    assert_true(counts_are_the_same(&fleet->judge, &fleet->one));
    fleet_free(fleet);
}

// All evidence, to the last bit. (Not the padding, and not for how long a candidate was silent.)
static bool evidence_is_the_same(const struct judge *a, const struct judge *b) {
    bool same = counts_are_the_same(a, b);
    for (unsigned i = 0; i < a->trial.guard_count; i++)
        same = same && memcmp(&a->trial.guards[i].harm, &b->trial.guards[i].harm,
                              4 * sizeof a->trial.guards[i].harm) == 0;
    return same && memcmp(a->contest.pairs, b->contest.pairs, sizeof a->contest.pairs) == 0;
}

static void updates_that_come_twice_count_once(void **state) {
    (void)state;
    struct fleet *fleet = fleet_new(all_guards, GUARD_ERROR_RATE, 37);
    struct judge *hears_twice = malloc(sizeof *hears_twice);
    *hears_twice = fleet->judge;
    for (int second = 0; second < 60; second++) {
        struct tally pooled;
        tally_reset(&pooled, 7);
        fleet_goes_on(fleet, SECOND);
        judge_second(fleet, &fleet->judge, MEMBERS);
        for (unsigned i = 0; i < 2 * FLEET_MOST; i++)
            judge_hears(hears_twice, &fleet->members[i % FLEET_MOST], &pooled);
        judge_takes(hears_twice, &pooled, 900);
        judge_second(fleet, hears_twice, MEMBERS); // nothing is new
    }
    assert_true(evidence_is_the_same(&fleet->judge, hears_twice));
    free(hears_twice);
    fleet_free(fleet);
}

// The evidence goes to another leader together with what was taken. What the old one takes after that is its
// own.
static void another_judge_goes_on_where_the_first_was(void **state) {
    (void)state;
    struct fleet *fleet = fleet_new(all_guards, GUARD_ERROR_RATE, 38);
    struct judge *next = malloc(sizeof *next);
    for (int second = 0; second < 80; second++) {
        fleet_goes_on(fleet, SECOND);
        judge_second(fleet, &fleet->judge, MEMBERS);
        if (second == 39)
            *next = fleet->judge;
        if (second > 39)
            judge_second(fleet, next, MEMBERS);
    }
    assert_true(evidence_is_the_same(&fleet->judge, next));
    // One who has no word of the last seconds takes them again, in one batch.
    *next = fleet->judge;
    for (int second = 0; second < 20; second++) {
        fleet_goes_on(fleet, SECOND);
        judge_second(fleet, &fleet->judge, MEMBERS);
    }
    judge_second(fleet, next, MEMBERS);
    assert_true(counts_are_the_same(&fleet->judge, next));
    free(next);
    fleet_free(fleet);
}

// The last member dies and another one, with a name of its own, gets its requests. What the dead one told
// stays, and nothing is counted twice.
static void instances_come_and_go(void **state) {
    (void)state;
    struct fleet *fleet = fleet_new(all_guards, GUARD_ERROR_RATE, 39);
    for (int second = 0; second < 100; second++) {
        if (second == 40) {
            fleet->traffic.instead = 5;
            member_begin(&fleet->members[5], &fleet->traffic, 5, &fleet->settings, &fleet->contest);
        }
        for (int i = 0; i < SECOND; i++) {
            fleet->traffic.now++;
            for (unsigned k = 0; k <= FLEET_ALL; k++)
                if (k != (second < 40 ? 5 : 4))
                    member_tick(&fleet->members[k]);
        }
        judge_second(fleet, &fleet->judge, second < 50 ? 0x1f : 0x2f);
        judge_second(fleet, &fleet->one, ONE);
    }
    struct tally sum;
    tally_reset(&sum, 7);
    for (unsigned i = 0; i < FLEET_MOST; i++)
        tally_add(&sum, &fleet->members[i].tally);
    const struct guard *errors = &fleet->judge.trial.guards[0];
    assert_memory_equal(&errors->total, &sum.guards[0].all, sizeof errors->total);
    assert_memory_equal(&errors->total_soon, &sum.guards[0].soon, sizeof errors->total_soon);
    // Of all requests only the last ones of the dead are missing: of two seconds, a fifth.
    double all = fleet->one.trial.guards[0].total.baseline, missing = all - errors->total.baseline;
    assert_true(missing > 0 && missing < 2 * 2 * SECOND * 40 / 5);
    assert_true(fleet->members[4].tally.guards[0].all.baseline > 0);
    assert_true(fleet->members[5].tally.guards[0].all.baseline > 0);
    fleet_free(fleet);
}

// ---- strata

// Instances whose requests fail as often as theirs do, each with the same share for the candidate. The
// tallies are made of requests that begin and fail by chance. Returns the largest evidence of harm.
static double most_harm(struct trial *trial, double times, int seconds, struct random_state *random) {
    static const double rate[5] = {0.001, 0.005, 0.01, 0.03, 0.1};
    static const int requests[5] = {40, 10, 25, 15, 30};
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
    double most = -INFINITY;
    for (int second = 0; second < seconds; second++) {
        struct tally pooled;
        tally_reset(&pooled, 7);
        struct guard_batch *all = &pooled.guards[0].all;
        for (int i = 0; i < 5; i++) {
            for (int left = requests[i]; left; left--) {
                bool candidate = traffic_draw(random) < 0.1;
                bool failed = traffic_draw(random) < rate[i] * (candidate ? times : 1);
                *(candidate ? &all->candidate : &all->baseline) += 1;
                *(candidate ? &all->candidate_events : &all->baseline_events) += failed;
            }
        }
        assert_true(trial_take(trial, &pooled, 1000));
        trial_judge(trial, outcomes, &judgement);
        most = fmax(most, two_sample_evidence(&trial->guards[0].harm, 1));
    }
    return most;
}

// One guard without a margin, and candidates that fail exactly as often. An e-value of 20 may be reached by
// one in 20 of them, one of 100 by one in 100.
static void strata_do_not_deceive(void **state) {
    (void)state;
    struct trial_run run;
    struct random_state random;
    int above_20 = 0, above_100 = 0, runs = 300;
    random_seed_fixed(&random, 41);
    for (int i = 0; i < runs; i++) {
        trial_run_begin(&run, "guards: {error_rate: {margin: 0}}", 41);
        double most = most_harm(&run.trial, 1, 200, &random);
        above_20 += most >= log(20);
        above_100 += most >= log(100);
        trial_run_end(&run);
    }
    print_message("equal candidates in unequal strata, of %d: %d reach 20, %d reach 100\n", runs, above_20,
                  above_100);
    assert_true(above_20 <= runs / 20 && above_100 <= runs / 100);
}

static void harm_is_found_in_strata(void **state) {
    (void)state;
    struct trial_run run;
    struct random_state random;
    int found = 0, runs = 30;
    random_seed_fixed(&random, 42);
    for (int i = 0; i < runs; i++) {
        trial_run_begin(&run, "guards: {error_rate: {margin: 0}}", 42);
        found += most_harm(&run.trial, 2, 200, &random) >= log(100);
        trial_run_end(&run);
    }
    print_message("candidates with twice the errors, of %d: %d found\n", runs, found);
    assert_true(found >= runs - 1);
}

// ---- the sample ratio

static void a_pooled_ratio_is_a_mean(void **state) {
    (void)state;
    double log_e[4] = {log(3), log(5), log(0.5), 0};
    assert_true(fabs(sample_ratio_pool(log_e, 4) - log(9.5 / 4)) < 1e-12);
    assert_true(sample_ratio_pool(log_e, 0) == 0);
    assert_true(fabs(sample_ratio_pool(log_e, 1) - log(3)) < 1e-12);
    double large[3] = {5000, 4000, -5000};
    assert_true(fabs(sample_ratio_pool(large, 3) - (5000 - log(3))) < 1e-9);
    double small[2] = {-5000, -5001};
    assert_true(fabs(sample_ratio_pool(small, 2) - (-5000 + log((1 + exp(-1)) / 2))) < 1e-9);
    double odd[3] = {-INFINITY, NAN, -INFINITY}; // nothing left, not told, nothing left
    assert_true(fabs(sample_ratio_pool(odd, 3) - log(1.0 / 3)) < 1e-12);
    assert_true(sample_ratio_pool((double[]){-INFINITY, -INFINITY}, 2) == -INFINITY);
    assert_true(sample_ratio_pool((double[]){INFINITY, 1}, 2) == INFINITY);
    // All instances see the same units: their number adds nothing.
    assert_true(fabs(sample_ratio_pool((double[]){4, 4, 4, 4, 4}, 5) - 4) < 1e-12);
}

static void a_pooled_ratio_breaks_the_trial(void **state) {
    (void)state;
    struct trial_run run;
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 43);
    trial_take_ratio(&run.trial, log(99));
    assert_true(run.trial.log_ratio == log(99) && !run.trial.ratio_broken);
    trial_take_ratio(&run.trial, log(101));
    trial_take_ratio(&run.trial, 0);
    trial_run_tick(&run);
    assert_true(run.judgement.sample_ratio_broken); // it stands
    trial_run_end(&run);
}

int test_fleet(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_say_what_one_says_of_errors),
        cmocka_unit_test(several_say_what_one_says_of_times),
        cmocka_unit_test(several_say_what_one_says_of_costs),
        cmocka_unit_test(several_say_what_one_says_of_scores),
        cmocka_unit_test(a_tally_of_each_tick_is_what_one_alone_knows),
        cmocka_unit_test(updates_that_are_lost_lose_nothing),
        cmocka_unit_test(updates_that_come_twice_count_once),
        cmocka_unit_test(another_judge_goes_on_where_the_first_was),
        cmocka_unit_test(instances_come_and_go),
        cmocka_unit_test(strata_do_not_deceive),
        cmocka_unit_test(harm_is_found_in_strata),
        cmocka_unit_test(a_pooled_ratio_is_a_mean),
        cmocka_unit_test(a_pooled_ratio_breaks_the_trial),
    };
    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}

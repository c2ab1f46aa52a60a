// Groups of units and scores, as instances tell them and as they are added up.
#include "base/random.h"
#include "fleet_run.h"
#include "unit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct tally_groups *groups_new(void) {
    return calloc(1, sizeof(struct tally_groups));
}

static struct strbuf written(const struct tally_groups *groups) {
    struct strbuf bytes = {0};
    tally_groups_write(groups, &bytes);
    return bytes;
}

static bool reads(struct slice bytes, struct tally_groups *groups) {
    struct error error = {""};
    bool read = tally_groups_read(bytes, groups, &error);
    assert_true(read == (error.text[0] == '\0'));
    return read;
}

// Written, read and written again: the same bytes.
static size_t size_of(const struct tally_groups *groups) {
    struct tally_groups *back = groups_new();
    struct strbuf bytes = written(groups);
    assert_true(reads(strbuf_as_slice(&bytes), back));
    struct strbuf again = written(back);
    assert_true(slice_equal(strbuf_as_slice(&bytes), strbuf_as_slice(&again)));
    size_t size = bytes.len;
    strbuf_free(&bytes);
    strbuf_free(&again);
    free(back);
    return size;
}

static void fill_arm(struct tally_groups *groups, size_t arm, unsigned most, bool costs,
                     struct random_state *random) {
    for (int i = 0; i < EXPERIMENT_GROUPS; i++) {
        struct experiment_group *group = &groups->arms[arm][i];
        group->requests = (uint32_t)random_below(random, most);
        for (unsigned left = group->requests; left; left--) {
            group->failed += traffic_draw(random) < 0.01;
            group->slow[0] += traffic_draw(random) < 0.05;
        }
        group->values[MEAN_COST] = costs ? group->requests - group->failed : 0;
        group->sums[MEAN_COST] = 0.0123 * group->values[MEAN_COST] * (1 + traffic_draw(random));
    }
}

static void usual_groups_are_small(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new();
    struct random_state random;
    random_seed_fixed(&random, 51);
    assert_int_equal(size_of(groups), 3);
    fill_arm(groups, 0, 1800, false, &random);
    fill_arm(groups, 1, 200, false, &random);
    size_t plain = size_of(groups);
    tally_groups_reset(groups, 8);
    fill_arm(groups, 0, 1800, true, &random);
    fill_arm(groups, 1, 200, true, &random);
    size_t costs = size_of(groups);
    for (int i = 0; i < 4000; i++)
        score_groups_add(&groups->guards[2][i % 10 == 0], random_next(&random), traffic_draw(&random));
    size_t scores = size_of(groups);
    print_message("bytes of the groups of two arms: %zu; with costs %zu; and with scores %zu\n", plain, costs,
                  scores);
    assert_true(plain < 8 * 1024 && costs < 20 * 1024 && scores < 23 * 1024);
    free(groups);
}

static void the_largest_groups_have_their_size(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new();
    struct score_groups scores = {.without = 0};
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        groups->arms[0][i] = (struct experiment_group){
            UINT32_MAX, UINT32_MAX, {UINT32_MAX, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}, {1e300, 1e-300}};
    size_t arm = size_of(groups);
    for (int i = 0; i < SCORE_GROUPS; i++) {
        scores.counts[i] = UINT32_MAX;
        scores.sums[i] = UINT32_MAX;
    }
    groups->guards[0][0] = scores;
    size_t score = size_of(groups) - arm;
    for (int i = 1; i < EXPERIMENT_ARMS; i++)
        memcpy(groups->arms[i], groups->arms[0], sizeof groups->arms[0]);
    for (int i = 0; i < GUARDS_MOST; i++)
        groups->guards[i][0] = groups->guards[i][1] = scores;
    for (int i = 0; i < TALLY_ARMS; i++)
        groups->goal[i] = scores;
    groups->epoch = UINT32_MAX;
    size_t all = size_of(groups);
    print_message("bytes at most: %zu of an arm, %zu of scores, %zu of all\n", arm, score, all);
    assert_true(arm <= 39 * 1024 && score <= 2356 && all <= 840 * 1024);
    free(groups);
}

static void damage_is_refused_or_holds(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new(), *back = groups_new();
    struct random_state random;
    random_seed_fixed(&random, 52);
    for (int i = 0; i < 40; i++) { // sparse
        struct experiment_group *group = &groups->arms[i % 2][random_below(&random, EXPERIMENT_GROUPS)];
        *group = (struct experiment_group){.requests = 300, .failed = 2, .slow = {7, 0}};
        group->values[MEAN_TOKENS_PER_SECOND] = 5;
        group->sums[MEAN_TOKENS_PER_SECOND] = 77.7;
        score_groups_add(&groups->goal[3], random_next(&random), 0.5);
    }
    struct strbuf bytes = written(groups);
    for (size_t len = 0; len < bytes.len; len++)
        assert_false(reads(slice_make(bytes.at, len), back));
    for (size_t i = 0; i < bytes.len; i++) {
        char is = bytes.at[i];
        for (int bit = 0; bit < 8; bit++) {
            bytes.at[i] = (char)(is ^ 1 << bit);
            if (!reads(strbuf_as_slice(&bytes), back))
                continue;
            struct strbuf again = written(back);
            assert_true(slice_equal(strbuf_as_slice(&bytes), strbuf_as_slice(&again)));
            strbuf_free(&again);
        }
        bytes.at[i] = is;
    }
    strbuf_char(&bytes, 0);
    assert_false(reads(strbuf_as_slice(&bytes), back));
    strbuf_free(&bytes);
    free(groups);
    free(back);
}

static void refused(const char *bytes, size_t len, const char *why) {
    struct tally_groups *groups = groups_new();
    struct error error = {""};
    assert_false(tally_groups_read(slice_make(bytes, len), groups, &error));
    if (!strstr(error.text, why))
        fail_msg("\"%s\" does not say \"%s\"", error.text, why);
    free(groups);
}
#define REFUSED(bytes, why) refused(bytes, sizeof(bytes) - 1, why)
#define ALL_ZEROS           "\xff\x0f" // 1024 of them

static void odd_groups_are_refused(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new();
    assert_true(reads(SLICE("A\0\1\0\2\xfd\x0f" ALL_ZEROS ALL_ZEROS ALL_ZEROS ALL_ZEROS ALL_ZEROS), groups));
    assert_true(groups->arms[0][0].requests == 1);
    REFUSED("\1\0\0\0\0\0", "another format"); // a tally
    REFUSED("A\0\1\0" ALL_ZEROS ALL_ZEROS ALL_ZEROS ALL_ZEROS ALL_ZEROS ALL_ZEROS, "an empty arm");
    REFUSED("A\0\1\0\2\xfd\x0f\4\xfd\x0f", "more of something than requests");
    REFUSED("A\0\1\0\2\1\xfb\x0f", "told wrongly"); // zeros in two parts
    REFUSED("A\0\1\0\2\xff\x0f", "told wrongly");   // one too many
    REFUSED("A\0\1\0\0", "told wrongly");           // a zero as a value
    REFUSED("A\0\1\x61", "not known");              // a part that is none
    REFUSED("A\0\x62", "not known");                // more of them than there are
    REFUSED("A\0\1\x11\xff\x03", "empty scores");
    REFUSED("A\0\1\x11\2\xfd\x03\0\0\x80\xff", "a sum that cannot be"); // minus infinity
    REFUSED("A\0\1\x11\2\xfd\x03\0\0\0\x80", "a sum that cannot be");   // -0
    REFUSED("A\0\2\x12\2\xfd\x03\0\0\0\0\x11\2\xfd\x03\0\0\0\0", "another order");
    REFUSED("A\0\2\x11\2\xfd\x03\0\0\0\0\x11\2\xfd\x03\0\0\0\0", "another order");
    assert_true(reads(SLICE("A\0\2\x11\2\xfd\x03\0\0\0\0\x12\2\xfd\x03\0\0\0\0"), groups));
    free(groups);
}

// A failure may be read before its request is, and a difference of sums may be a little less than nothing.
static void what_is_counted_meanwhile_is_told_as_it_can_be(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new(), *back = groups_new();
    groups->arms[0][5] =
        (struct experiment_group){.requests = 9, .failed = 10, .slow = {10, 3}, .values = {10, 0}};
    groups->arms[0][5].sums[MEAN_COST] = -1e-17;
    struct strbuf bytes = written(groups);
    assert_true(reads(strbuf_as_slice(&bytes), back));
    const struct experiment_group *group = &back->arms[0][5];
    assert_true(group->requests == 9 && group->failed == 9 && group->slow[0] == 9 && group->slow[1] == 3);
    assert_true(group->values[MEAN_COST] == 9 && group->sums[MEAN_COST] == 0);
    strbuf_free(&bytes);
    free(groups);
    free(back);
}

static void counts_end_at_their_most(void **state) {
    (void)state;
    struct tally_groups *groups = groups_new(), *more = groups_new();
    more->epoch = 3;
    more->arms[16][1023] = (struct experiment_group){.requests = UINT32_MAX - 1, .failed = 3};
    more->goal[15].counts[255] = UINT32_MAX - 1;
    for (int i = 0; i < 3; i++)
        tally_groups_add(groups, more);
    assert_true(groups->arms[16][1023].requests == UINT32_MAX && groups->arms[16][1023].failed == 9);
    assert_true(groups->goal[15].counts[255] == UINT32_MAX && groups->epoch == 0);
    free(groups);
    free(more);
}

// Units that meet every instance: the design effect of all groups together, also when they were told in few
// digits; of one instance alone it would be another.
static void units_are_seen_across_instances(void **state) {
    (void)state;
    struct trial_run run, other;
    struct random_state random;
    struct tally_groups *whole = groups_new(), *sum = groups_new(), *part = groups_new();
    const char *guards = "guards: {error_rate: {margin: 0.5}, cost_per_request: {margin: 10}}";
    struct experiment_sum costs[2] = {{1000, 700, 500}, {1000, 700, 500}};
    trial_run_begin(&run, guards, 53);
    trial_run_begin(&other, guards, 53);
    guard_feed_means(&run.trial.guards[1], &costs[0], &costs[1]);
    guard_feed_means(&other.trial.guards[1], &costs[0], &costs[1]);
    random_seed_fixed(&random, 53);
    for (int member = 0; member < 5; member++) {
        tally_groups_reset(part, 0);
        for (int i = 0; i < 2 * EXPERIMENT_GROUPS; i++) {
            struct experiment_group *group = &part->arms[i % 2][i / 2];
            bool broken = i / 2 % 25 == 0;
            group->requests = 20;
            group->failed = broken ? 10 : traffic_draw(&random) < 0.1;
            group->values[MEAN_COST] = 10;
            group->sums[MEAN_COST] = 10 * (broken ? 1.5 : 0.6 + 0.1 * traffic_draw(&random));
        }
        tally_groups_add(whole, part);
        struct strbuf bytes = written(part);
        assert_true(reads(strbuf_as_slice(&bytes), part));
        strbuf_free(&bytes);
        tally_groups_add(sum, part);
    }
    trial_design(&run.trial, whole->arms[0], whole->arms[1]);
    trial_take_groups(&other.trial, sum);
    const int kinds[] = {DESIGN_FAILED, DESIGN_MEANS + MEAN_COST};
    for (int i = 0; i < 2; i++) {
        double exact = run.trial.designs[kinds[i]].effect, told = other.trial.designs[kinds[i]].effect;
        assert_true(exact > 5 && fabs(told / exact - 1) < 1e-5);
    }
    trial_take_groups(&run.trial, part);
    struct trial alone = other.trial;
    trial_reset(&alone, 0);
    trial_take_groups(&alone, part);
    assert_true(alone.designs[DESIGN_FAILED].effect < other.trial.designs[DESIGN_FAILED].effect / 2);
    trial_run_end(&run);
    trial_run_end(&other);
    free(whole);
    free(sum);
    free(part);
}

// Raters who are always pleased or never, and meet any of three instances: what is taken of all of them
// together is what one who got every score knows; of a contest too.
static void raters_are_known_across_instances(void **state) {
    (void)state;
    struct trial_run run, one;
    struct tally_groups *sum = groups_new(), *part[3] = {groups_new(), groups_new(), groups_new()};
    struct tally tally[3], all;
    struct contest *contest = malloc(2 * sizeof *contest);
    struct contest_settings settings = fleet_contest(GUARD_SCORE);
    trial_run_begin(&run, "guards: {quality: {margin: 0.05}}", 55);
    trial_run_begin(&one, "guards: {quality: {margin: 0.05}}", 55);
    tally_reset(&all, 0);
    for (int i = 0; i < 3; i++)
        tally_reset(&tally[i], 0);
    for (int i = 0; i < 2; i++)
        contest_init(&contest[i], &settings, START);
    for (uint64_t i = 0; i < 3000; i++) {
        size_t arm = i % 2, at = i % 3;
        uint64_t rater = (i % 100 + 1) * UINT64_C(0x9e3779b97f4a7c15);
        double score = i % 100 % 7 < 3;
        trial_score(&one.trial, "quality", arm, score, rater);
        contest_score(&contest[1], arm, score, rater);
        trial_collect_score(&run.trial, "quality", arm, score, rater, &tally[at], part[at]);
        contest_collect_score(&contest[0], arm, score, rater, &tally[at], part[at]);
    }
    for (int i = 0; i < 3; i++) {
        tally_add(&all, &tally[i]);
        tally_groups_add(sum, part[i]);
    }
    assert_true(trial_take(&run.trial, &all, 1000) && contest_take(&contest[0], &all));
    trial_take_groups(&run.trial, sum);
    contest_take_groups(&contest[0], sum);
    const struct guard *told = &run.trial.guards[0], *known = &one.trial.guards[0];
    assert_true(known->design.effect > 5 && fabs(told->design.effect / known->design.effect - 1) < 1e-12);
    assert_true(told->design.requests == 1500 && told->candidate.count == 1500);
    for (int arm = 0; arm < 2; arm++) {
        double exact = contest[1].designs[arm].effect;
        assert_true(exact > 5 && fabs(contest[0].designs[arm].effect / exact - 1) < 1e-12);
    }
    for (int i = 0; i < 3; i++)
        free(part[i]);
    free(sum);
    free(contest);
    trial_run_end(&run);
    trial_run_end(&one);
}

// All candidates of an A/B test are one arm to the design effect.
static void candidates_are_taken_together(void **state) {
    (void)state;
    struct trial_run run;
    struct tally_groups *groups = groups_new();
    trial_run_begin(&run, "guards: {error_rate: {margin: 0.5}}", 54);
    struct trial_settings settings = run.trial.settings;
    settings.others[settings.other_count++] = (struct trial_other){2, "third"};
    trial_init(&run.trial, &settings, START);
    run.trial.share = 0.5;
    for (int i = 0; i < EXPERIMENT_GROUPS; i++) {
        groups->arms[0][i] = groups->arms[1][i] = (struct experiment_group){.requests = 50, .failed = 1};
        groups->arms[2][i] = (struct experiment_group){.requests = 50, .failed = i % 50 == 0 ? 50 : 0};
    }
    trial_take_groups(&run.trial, groups);
    assert_true(run.trial.designs[DESIGN_FAILED].effect > 2);
    trial_run_end(&run);
    free(groups);
}

int test_tally_groups(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usual_groups_are_small),
        cmocka_unit_test(the_largest_groups_have_their_size),
        cmocka_unit_test(damage_is_refused_or_holds),
        cmocka_unit_test(odd_groups_are_refused),
        cmocka_unit_test(what_is_counted_meanwhile_is_told_as_it_can_be),
        cmocka_unit_test(counts_end_at_their_most),
        cmocka_unit_test(units_are_seen_across_instances),
        cmocka_unit_test(raters_are_known_across_instances),
        cmocka_unit_test(candidates_are_taken_together),
    };
    return cmocka_run_group_tests_name("tally_groups", tests, NULL, NULL);
}

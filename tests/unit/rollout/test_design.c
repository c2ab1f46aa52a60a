// Whose figures a design effect is taken from.
#include "rollout/cluster.h"
#include "rollout/design.h"
#include "unit.h"
#include <math.h>

static struct experiment_group baseline[EXPERIMENT_GROUPS], candidate[EXPERIMENT_GROUPS];

// `together`: every twentieth unit fails with all of its requests, the others with none.
static void fill(struct experiment_group *groups, bool together) {
    for (int i = 0; i < EXPERIMENT_GROUPS; i++)
        groups[i] = (struct experiment_group){
            .requests = 20, .failed = together ? (i % 20 ? 0 : 20) : 1, .slow = {1, 2}};
}

static double effect(int kind, double unit_variance, double share) {
    double requests, of = design_of_pair(baseline, candidate, kind, unit_variance, share, &requests);
    assert_true(requests >= 0);
    return of;
}

// A harmed candidate fails by whole users, which must not hide that it is harmed.
static void a_small_candidate_is_not_looked_at(void **state) {
    (void)state;
    fill(baseline, false);
    fill(candidate, true);
    assert_true(effect(DESIGN_FAILED, NAN, 0.19) == 1);
    assert_true(effect(DESIGN_FAILED, NAN, 0.5) > 5);
    assert_true(effect(DESIGN_SLOW, NAN, 0.5) == 1); // times are even
}

static void few_groups_or_events_say_nothing(void **state) {
    (void)state;
    fill(baseline, false);
    fill(candidate, true);
    for (int i = DESIGN_LEAST_GROUPS - 1; i < EXPERIMENT_GROUPS; i++)
        candidate[i] = (struct experiment_group){0};
    assert_true(effect(DESIGN_FAILED, NAN, 0.5) == 1);
    fill(candidate, true);
    for (int i = 0; i < EXPERIMENT_GROUPS; i++) {
        baseline[i].failed = 0;
        candidate[i].failed = i ? 0 : DESIGN_LEAST_EVENTS - 1;
    }
    assert_true(effect(DESIGN_FAILED, NAN, 0.5) == 1);
    candidate[0].failed++;
    assert_true(effect(DESIGN_FAILED, NAN, 0.5) > 1);
}

// Of a mean each arm has its own variance: the worse of both holds.
static void the_worse_arm_of_a_mean_holds(void **state) {
    (void)state;
    for (int i = 0; i < EXPERIMENT_GROUPS; i++) {
        baseline[i] = (struct experiment_group){.values = {20}, .sums = {20 * (1 + 0.01 * (i % 2))}};
        candidate[i] = (struct experiment_group){.values = {20}, .sums = {20 * (i % 2 ? 1.0 : 3.0)}};
    }
    assert_true(effect(DESIGN_MEANS + MEAN_COST, 1, 0.1) == 1);
    double both = effect(DESIGN_MEANS + MEAN_COST, 1, 0.5);
    assert_true(both > 19.9 && both < 20.1); // twenty requests of a unit are one
}

static void an_arm_alone(void **state) {
    (void)state;
    double requests;
    fill(baseline, true);
    assert_true(design_of_arm(baseline, DESIGN_FAILED, NAN, &requests) > 5);
    assert_true(requests == 20.0 * EXPERIMENT_GROUPS);
    for (int i = DESIGN_LEAST_GROUPS - 1; i < EXPERIMENT_GROUPS; i++)
        baseline[i] = (struct experiment_group){0};
    assert_true(design_of_arm(baseline, DESIGN_FAILED, NAN, &requests) == 1);
}

static void nothing_is_known_of_one_group(void **state) {
    (void)state;
    double requests[2] = {10, 0}, events[2] = {5, 0};
    struct cluster_ratio one = cluster_ratio(requests, events, 2), two;
    assert_true(one.groups == 1 && one.ratio == 0.5 && one.variance > 1e300);
    assert_true(cluster_ratio(requests + 1, events + 1, 1).ratio == 0); // of no requests
    assert_true(cluster_design_effect(requests, events, 2, -1) == 1);
    requests[1] = 10;
    two = cluster_ratio(requests, events, 2);
    assert_true(cluster_design_effect_of_both(&one, &two) == 1);
    assert_true(cluster_design_effect_of_both(&two, &one) == 1);
    assert_true(cluster_design_effect_of_both(&two, &two) > 1);
    struct cluster_ratio none_failed = cluster_ratio(requests, (double[]){0, 0}, 2);
    assert_true(cluster_design_effect_of_both(&none_failed, &none_failed) == 1);
    assert_true(cluster_design_effect(requests, (double[]){0, 0}, 2, -1) == 1);
}

int test_design(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_candidate_is_not_looked_at),
        cmocka_unit_test(few_groups_or_events_say_nothing),
        cmocka_unit_test(the_worse_arm_of_a_mean_holds),
        cmocka_unit_test(an_arm_alone),
        cmocka_unit_test(nothing_is_known_of_one_group),
    };
    return cmocka_run_group_tests_name("design", tests, NULL, NULL);
}

// The interval of one arm holds at every look.
#include "base/random.h"
#include "rollout/interval.h"
#include "unit.h"

#include <math.h>
#include <stdbool.h>

static double uniform(struct random_state *random) {
    return (double)random_below(random, 1u << 30) / (1u << 30);
}

// The definition: at the edge the mixture is 1/alpha times as likely as the edge.
static void an_edge_is_where_evidence_is_enough(void **state) {
    (void)state;
    struct interval interval = interval_share(5, 100, 0.05);
    assert_true(interval.low > 0.005 && interval.low < 0.02);
    assert_true(interval.high > 0.1 && interval.high < 0.18);
    double edges[] = {interval.low, interval.high};
    for (int i = 0; i < 2; i++) {
        double p = edges[i];
        double log_e = lgamma(5.5) + lgamma(95.5) - lgamma(101) - 2 * lgamma(0.5) + lgamma(1) - 5 * log(p) -
                       95 * log1p(-p);
        assert_true(fabs(log_e - log(20)) < 1e-6);
    }
}

static void nothing_and_everything(void **state) {
    (void)state;
    struct interval none = interval_share(0, 50, 0.05), all = interval_share(50, 50, 0.05);
    assert_true(none.low == 0 && none.high > 0.02 && none.high < 0.2);
    assert_true(all.high == 1 && all.low < 0.98 && all.low > 0.8);
    assert_true(fabs(none.high + all.low - 1) < 1e-9);
    assert_true(isnan(interval_share(0, 0, 0.05).low));
    struct mean one = {0};
    mean_add(&one, 3);
    assert_true(isnan(interval_mean(&one, 1, 0.05).high));
}

static void more_is_narrower(void **state) {
    (void)state;
    double before = 2;
    for (double n = 10; n < 1e7; n *= 10) {
        struct interval interval = interval_share(0.1 * n, n, 0.05);
        assert_true(interval.low < 0.1 && interval.high > 0.1);
        assert_true(interval.high - interval.low < before);
        before = interval.high - interval.low;
    }
    assert_true(interval_share(10, 100, 0.01).high > interval_share(10, 100, 0.05).high);
}

// However often one looks: of 400 rates at most about 5 % ever leave it within 2,000 requests.
static void a_rate_stays_inside_at_every_look(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 11);
    unsigned left = 0;
    for (int run = 0; run < 400; run++) {
        double rate = 0.02 + 0.2 * (run % 5), events = 0;
        bool out = false;
        for (int n = 1; n <= 2000 && !out; n++) {
            events += uniform(&random) < rate;
            struct interval interval = interval_share(events, n, 0.05);
            out = rate < interval.low || rate > interval.high;
        }
        left += out;
    }
    assert_true(left < 34); // 20 are expected at most; more than 33 once in a thousand
}

static void a_mean_stays_inside_at_every_look(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 12);
    unsigned left = 0;
    for (int run = 0; run < 400; run++) {
        struct mean mean = {0};
        bool out = false;
        for (int n = 1; n <= 3000 && !out; n++) {
            mean_add(&mean, uniform(&random));
            struct interval interval = interval_mean(&mean, 1, 0.05);
            out = n >= 50 && (interval.low > 0.5 || interval.high < 0.5); // asymptotic
        }
        left += out;
    }
    assert_true(left < 34);
    struct mean mean = {1000, 0.5, 80};
    struct interval alone = interval_mean(&mean, 1, 0.05), together = interval_mean(&mean, 4, 0.05);
    assert_true(together.high - together.low > 1.5 * (alone.high - alone.low));
}

int test_interval(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edge_is_where_evidence_is_enough),
        cmocka_unit_test(nothing_and_everything),
        cmocka_unit_test(more_is_narrower),
        cmocka_unit_test(a_rate_stays_inside_at_every_look),
        cmocka_unit_test(a_mean_stays_inside_at_every_look),
    };
    return cmocka_run_group_tests_name("interval", tests, NULL, NULL);
}

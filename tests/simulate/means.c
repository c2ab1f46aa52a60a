// Means: equal variants that are called different, with and without the larger variance for the smaller arm,
// and how soon a difference is found. Scores and costs as they are: bounded, and with a long tail.
#include "draw.h"
#include "rollout/mean.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>

#define ALPHA     0.05
#define BEST_SIZE 2000
#define LOOK      50 // requests

enum values { SCORES, COSTS };
struct means {
    enum values values;
    double share, factor; // factor: of the candidate's
    unsigned most;        // requests of both arms
    double reference;     // requests of both arms until it is found; NAN: none
    bool small;
};
struct found {
    bool higher, lower, higher_own, lower_own; // own: with the arms' own variances
    double requests;
};

static double draw_value(struct random_state *random, enum values values) {
    return values == SCORES ? draw_beta(random, 8, 2) : exp(1.5 * draw_normal(random));
}

// Both directions at once.
static void look(const struct mean *arms, double least, unsigned seen, struct found *found) {
    struct mean_difference difference;
    if (fmin(arms[0].count, arms[1].count) < least ||
        !mean_compare(&arms[0], &arms[1], &(struct mean_margins){1, 0, 1, 1}, &difference))
        return;
    double needed = log(1 / ALPHA), tuning = mean_tuning(BEST_SIZE, ALPHA);
    struct mean_difference own = difference;
    own.variance = arms[0].deviations / (arms[0].count - 1) / arms[0].count +
                   arms[1].deviations / (arms[1].count - 1) / arms[1].count;
    found->higher = found->higher || mean_log_e(&difference, tuning) >= needed;
    found->higher_own = found->higher_own || mean_log_e(&own, tuning) >= needed;
    difference.difference = own.difference = -difference.difference;
    found->lower = found->lower || mean_log_e(&difference, tuning) >= needed;
    found->lower_own = found->lower_own || mean_log_e(&own, tuning) >= needed;
    if (found->requests == 0 && (found->higher || found->lower))
        found->requests = seen;
}

static struct found run_once(const struct means *with, const char *row, unsigned run) {
    struct random_state random = draw_begin(row, run);
    struct mean arms[2] = {{0}};
    struct found found = {0};
    double least = with->values == SCORES ? 100 : 200;
    for (unsigned seen = 1; seen <= with->most; seen++) {
        int arm = draw_uniform(&random) < with->share;
        double value = draw_value(&random, with->values);
        mean_add(&arms[arm], arm ? with->factor * value : value);
        if (seen % LOOK == 0)
            look(arms, least, seen, &found);
        if (with->factor != 1 && found.requests > 0)
            break;
    }
    return found;
}

static const char *name_of(enum values values) {
    return values == SCORES ? "scores" : "costs";
}

static void equal_row(const struct options *options, const struct means *with) {
    char row[160];
    unsigned runs = table_runs(options, 20), higher = 0, lower = 0, higher_own = 0, lower_own = 0;
    snprintf(row, sizeof row, "equal means, %s, share %g", name_of(with->values), with->share);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct found found = run_once(with, row, run);
        higher += found.higher, lower += found.lower;
        higher_own += found.higher_own, lower_own += found.lower_own;
    }
    table_cell("%s", name_of(with->values));
    table_cell("%g %%", 100 * with->share);
    table_cell("%.4f", (double)higher / runs);
    table_cell("%.4f", (double)lower / runs);
    table_cell("%.4f", (double)higher_own / runs);
    table_cell("%.4f", (double)lower_own / runs);
    table_end_row();
    table_at_most(row, (double)higher / runs, ALPHA, options, runs);
    table_at_most(row, (double)lower / runs, ALPHA, options, runs);
}

static void different_row(const struct options *options, const struct means *with) {
    char row[160];
    unsigned runs = table_runs(options, 20);
    struct sample requests = {0};
    snprintf(row, sizeof row, "different means, %s, factor %g, share %g", name_of(with->values), with->factor,
             with->share);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct found found = run_once(with, row, run);
        bool right = with->factor > 1 ? found.higher : found.lower;
        if (right)
            sample_add(&requests, found.requests);
    }
    double rate = (double)requests.count / runs, median = sample_quantile(&requests, 0.5);
    table_cell("%s", name_of(with->values));
    table_cell("%g %%", 100 * with->share);
    table_cell("%+g %%", 100 * (with->factor - 1));
    table_cell("%.3f", rate);
    table_cell("%.0f (%.0f)", median, sample_quantile(&requests, 0.9));
    table_cell("%.0f", with->reference);
    table_end_row();
    table_at_least(row, rate, 0.95, options, runs);
    table_near(row, median, with->reference, options, runs);
    sample_free(&requests);
}

void simulate_means(const struct options *options) {
    static const struct means equal[] = {
        {COSTS, 0.05, 1, 50000, NAN, true},
        {COSTS, 0.5, 1, 50000, NAN, false},
        {SCORES, 0.05, 1, 50000, NAN, false},
        {SCORES, 0.5, 1, 50000, NAN, false},
    };
    static const struct means different[] = {
        {SCORES, 0.05, 0.97, 200000, 5750, true},
        {COSTS, 0.05, 2, 200000, 5450, true},
        {COSTS, 0.05, 1.2, 200000, 40200, false},
    };
    table_title(
        "**Equal means that are called higher or lower** (alpha 0.05 each, 50,000 requests, a look every 50; "
        "scores: Beta(8, 2), costs: lognormal with a deviation of 1.5)");
    table_columns(
        "values | candidate | called higher | called lower | higher, with own variances | lower, with "
        "own variances");
    for (unsigned i = 0; i < sizeof equal / sizeof *equal; i++)
        if (options->full || equal[i].small)
            equal_row(options, &equal[i]);
    table_title(
        "**Different means are found** (requests of both arms; median, in brackets the 90 %% quantile)");
    table_columns("values | candidate | its mean | found | requests | reference");
    for (unsigned i = 0; i < sizeof different / sizeof *different; i++)
        if (options->full || different[i].small)
            different_row(options, &different[i]);
}

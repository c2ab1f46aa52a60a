// Error rates: how often equal variants are called worse (R1), how soon a worse one is (R2), and both without
// any history of the baseline.
#include "draw.h"
#include "rollout/two_sample.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>

#define ALPHA    0.05
#define SHIPPED  (ALPHA / 5) // what a single guard of a rollout may spend: it is rolled back at 100
#define TICK     1.0         // seconds
#define HISTORY  20000       // past requests of the baseline, where there is a history
#define MOST_ALL 500000.0

struct errors {
    double rps, share, baseline, candidate;
    double most; // requests of both arms
    bool cold;   // no history
};
struct found {
    bool found, rolled_back;  // at 1/ALPHA; at 1/SHIPPED
    double seconds, requests; // of the candidate
};

static void begin(struct two_sample *process, const struct errors *with, struct random_state *random) {
    two_sample_init(process, &(struct two_sample_settings){.direction = TWO_SAMPLE_HARM,
                                                           .rho = 1,
                                                           .prior_mean = 0.01,
                                                           .prior_weight = 50,
                                                           .restart_every = 10,
                                                           .decay = 1});
    if (!with->cold)
        two_sample_seed(process, HISTORY, draw_binomial(random, HISTORY, with->baseline));
}

// To the end where it matters whether it is rolled back; else until it is called worse.
static struct found run_once(const struct errors *with, const char *row, unsigned run, bool to_the_end) {
    struct random_state random = draw_begin(row, run);
    struct two_sample process;
    double seen = 0, candidate = 0, waiting[4] = {0};
    struct found found = {0};
    begin(&process, with, &random);
    for (double second = TICK; seen < with->most; second += TICK) {
        uint32_t all = draw_poisson(&random, with->rps * TICK);
        uint32_t nc = draw_binomial(&random, all, with->share), nb = all - nc;
        seen += all;
        candidate += nc;
        waiting[0] += nb;
        waiting[1] += draw_binomial(&random, nb, with->baseline);
        waiting[2] += nc;
        waiting[3] += draw_binomial(&random, nc, with->candidate);
        if (waiting[0] <= 0 || waiting[2] <= 0)
            continue;
        two_sample_update(&process, waiting[0], waiting[1], waiting[2], waiting[3]);
        waiting[0] = waiting[1] = waiting[2] = waiting[3] = 0;
        double evidence = two_sample_log_e(&process, 1);
        if (!found.found && evidence >= log(1 / ALPHA))
            found = (struct found){true, false, second, candidate};
        found.rolled_back = found.rolled_back || evidence >= log(1 / SHIPPED);
        if (found.rolled_back || (found.found && !to_the_end))
            break;
    }
    return found;
}

static void name_row(char *row, size_t room, const char *table, const struct errors *with) {
    snprintf(row, room, "%s, %g requests/s, share %g, errors %g and %g%s", table, with->rps, with->share,
             with->baseline, with->candidate, with->cold ? ", cold" : "");
}

// ---- equal variants

static void equal_row(const struct options *options, const struct errors *with, unsigned small,
                      double reference) {
    char row[160];
    unsigned runs = table_runs(options, small), hits = 0, rolled_back = 0;
    name_row(row, sizeof row, "equal variants", with);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct found found = run_once(with, row, run, true);
        hits += found.found;
        rolled_back += found.rolled_back;
    }
    double rate = (double)hits / runs, shipped = (double)rolled_back / runs;
    table_cell("%g", with->rps);
    table_cell("%g %%", 100 * with->share);
    table_cell("%g %%", 100 * with->baseline);
    table_cell("%s", with->cold ? "none" : "20,000");
    table_cell("%.4f", shipped);
    table_cell("%.4f", rate);
    if (isnan(reference))
        table_cell("-");
    else
        table_cell("%.3f", reference);
    table_end_row();
    table_at_most(row, rate, ALPHA, options, runs);
    table_at_most(row, shipped, 0.02, options, runs);
}

void simulate_equal(const struct options *options) {
    unsigned all = options->full;
    table_title(
        "**Equal variants that are rolled back** (100,000 requests, a look every second; one guard at "
        "`confidence: 95`, which needs an e-value of 100; and what is called worse at 20)");
    table_columns("requests/s | candidate | errors | history | rolled back | called worse | reference");
    for (int cold = 0; cold < 2; cold++) {
        static const double rates[] = {0.005, 0.001, 0.02}, speeds[] = {100, 10, 1000};
        static const double reference[3][3] = {
            {0.013, 0.015, 0.011}, {0.013, 0.010, 0.006}, {0.015, 0.019, 0.007}};
        for (int i = 0; i < 3; i++)
            for (int k = 0; k < (all ? 3 : 1); k++)
                equal_row(options, &(struct errors){speeds[k], 0.05, rates[i], rates[i], 100000, cold == 1},
                          i == 0 ? 150 : 60, cold ? NAN : reference[i][k]);
        equal_row(options, &(struct errors){100, 0.5, 0.005, 0.005, 100000, cold == 1}, 60,
                  cold ? NAN : 0.022);
    }
}

// ---- a worse one

struct worse {
    struct errors with;
    double seconds, requests; // of the reference; NAN: it has none
};

static void worse_row(const struct options *options, const struct worse *worse) {
    char row[160];
    unsigned runs = table_runs(options, 100);
    struct sample seconds = {0}, requests = {0};
    name_row(row, sizeof row, "a worse candidate", &worse->with);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct found found = run_once(&worse->with, row, run, false);
        if (!found.found)
            continue;
        sample_add(&seconds, found.seconds);
        sample_add(&requests, found.requests);
    }
    double median = sample_quantile(&seconds, 0.5), of_requests = sample_quantile(&requests, 0.5);
    double rate = (double)seconds.count / runs;
    table_cell("%g", worse->with.rps);
    table_cell("%g %%", 100 * worse->with.share);
    table_cell("%g %% and %g %%", 100 * worse->with.baseline, 100 * worse->with.candidate);
    table_cell("%s", worse->with.cold ? "none" : "20,000");
    table_cell("%.3f", rate);
    table_cell("%.0f (%.0f)", median, sample_quantile(&seconds, 0.9));
    table_cell("%.0f", of_requests);
    if (isnan(worse->seconds))
        table_cell("-");
    else if (isnan(worse->requests))
        table_cell("%.0f s", worse->seconds);
    else
        table_cell("%.0f s, %.0f", worse->seconds, worse->requests);
    table_end_row();
    table_at_least(row, rate, worse->with.candidate >= 0.02 ? 1 : 0.95, options, runs);
    if (!isnan(worse->seconds))
        table_near(row, median, worse->seconds, options, runs);
    if (!isnan(worse->requests))
        table_near(row, of_requests, worse->requests, options, runs);
    sample_free(&seconds);
    sample_free(&requests);
}

void simulate_worse(const struct options *options) {
    static const struct worse rows[] = {
        {{100, 0.05, 0.005, 1, MOST_ALL, false}, 1, 5},
        {{100, 0.05, 0.005, 0.05, MOST_ALL, false}, 17, 85},
        {{100, 0.05, 0.005, 0.02, MOST_ALL, false}, 68, 339},
        {{100, 0.05, 0.005, 1, MOST_ALL, true}, NAN, NAN},
        {{100, 0.05, 0.005, 0.05, MOST_ALL, true}, NAN, NAN},
        {{1000, 0.05, 0.005, 0.05, MOST_ALL, false}, 2, NAN},
        {{10, 0.05, 0.005, 1, MOST_ALL, false}, 4, NAN},
        // only in full
        {{100, 0.05, 0.005, 0.02, MOST_ALL, true}, NAN, NAN},
        {{100, 0.05, 0.005, 0.01, MOST_ALL, true}, NAN, NAN},
        {{100, 0.05, 0.005, 0.01, MOST_ALL, false}, 450, 2240},
        {{100, 0.05, 0.001, 0.01, MOST_ALL, false}, 66, NAN},
        {{100, 0.05, 0.02, 0.04, MOST_ALL, false}, 113, NAN},
        {{100, 0.5, 0.005, 0.01, MOST_ALL, false}, 100, NAN},
        {{10, 0.05, 0.005, 0.05, MOST_ALL, false}, 155, NAN},
        {{10, 0.05, 0.005, 0.02, MOST_ALL, false}, 704, NAN},
        {{10, 0.05, 0.005, 0.01, MOST_ALL, false}, 4521, NAN},
        {{1000, 0.05, 0.005, 1, MOST_ALL, false}, 1, NAN},
        {{1000, 0.05, 0.005, 0.02, MOST_ALL, false}, 9, NAN},
        {{1000, 0.05, 0.005, 0.01, MOST_ALL, false}, 48, NAN},
    };
    unsigned count = options->full ? sizeof rows / sizeof *rows : 7;
    table_title(
        "**A worse candidate is found** (alpha 0.05, a look every second; median, in brackets the 90 %% "
        "quantile)");
    table_columns("requests/s | candidate | errors of baseline and candidate | history | found | seconds | "
                  "requests of the candidate | reference");
    for (unsigned i = 0; i < count; i++)
        worse_row(options, &rows[i]);
}

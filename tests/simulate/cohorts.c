// Why requests are credited to the tick in which they started (R7): errors end at once, successes after
// `lasts` seconds, and the candidate's traffic begins at 0. Counted as they end, the candidate's first
// requests are nearly all errors.
#include "draw.h"
#include "rollout/two_sample.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>

#define ALPHA   0.05
#define HISTORY 20000
#define LONGEST 600

struct cohorts {
    double rps, errors;
    int lasts, seconds;
    double by_end, by_start; // of the reference
};
struct second { // by start
    uint32_t well[2], failed[2];
};

struct way {
    struct two_sample process;
    double waiting[4];
    bool alarm;
};

static void begin(struct way *way, double events) {
    *way = (struct way){0};
    two_sample_init(&way->process, &(struct two_sample_settings){.direction = TWO_SAMPLE_HARM,
                                                                 .rho = 1,
                                                                 .prior_mean = 0.01,
                                                                 .prior_weight = 50,
                                                                 .restart_every = 10,
                                                                 .decay = 1});
    two_sample_seed(&way->process, HISTORY, events);
}

static void feed(struct way *way, const uint32_t *well, const uint32_t *failed) {
    for (int arm = 0; arm < 2; arm++) {
        way->waiting[2 * arm] += well[arm] + failed[arm];
        way->waiting[2 * arm + 1] += failed[arm];
    }
    if (way->waiting[0] <= 0 || way->waiting[2] <= 0)
        return;
    two_sample_update(&way->process, way->waiting[0], way->waiting[1], way->waiting[2], way->waiting[3]);
    for (int i = 0; i < 4; i++)
        way->waiting[i] = 0;
    way->alarm = way->alarm || two_sample_log_e(&way->process, 1) >= log(1 / ALPHA);
}

static void run_once(const struct cohorts *with, const char *row, unsigned run, unsigned *by_end,
                     unsigned *by_start) {
    struct random_state random = draw_begin(row, run);
    static struct second past[LONGEST];
    struct way end, start;
    double events = draw_binomial(&random, HISTORY, with->errors);
    begin(&end, events);
    begin(&start, events);
    for (int i = 0; i < with->seconds; i++) {
        uint32_t all = draw_poisson(&random, with->rps), of[2];
        of[1] = draw_binomial(&random, all, 0.05);
        of[0] = all - of[1];
        for (int arm = 0; arm < 2; arm++) {
            past[i].failed[arm] = draw_binomial(&random, of[arm], with->errors);
            past[i].well[arm] = of[arm] - past[i].failed[arm];
        }
        // Before the candidate began, the baseline's requests ended all the time.
        uint32_t before = draw_poisson(&random, with->rps * 0.95 * (1 - with->errors));
        uint32_t ended[2] = {i >= with->lasts ? past[i - with->lasts].well[0] : before,
                             i >= with->lasts ? past[i - with->lasts].well[1] : 0};
        feed(&end, ended, past[i].failed);
        if (i >= with->lasts)
            feed(&start, past[i - with->lasts].well, past[i - with->lasts].failed);
    }
    *by_end += end.alarm;
    *by_start += start.alarm;
}

static void row_of(const struct options *options, const struct cohorts *with) {
    char row[160];
    unsigned runs = table_runs(options, 60), by_end = 0, by_start = 0;
    snprintf(row, sizeof row, "equal variants, %g requests/s, errors %g, success after %d s", with->rps,
             with->errors, with->lasts);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++)
        run_once(with, row, run, &by_end, &by_start);
    double ended = (double)by_end / runs, started = (double)by_start / runs;
    table_cell("%g", with->rps);
    table_cell("%g %%", 100 * with->errors);
    table_cell("%d s", with->lasts);
    table_cell("%.3f", ended);
    table_cell("%.4f", started);
    table_cell("%.3f, %.3f", with->by_end, with->by_start);
    table_end_row();
    table_at_most(row, started, 0.025, options, runs);
    table_near(row, ended, with->by_end, options, runs);
}

void simulate_cohorts(const struct options *options) {
    static const struct cohorts rows[] = {
        {1000, 0.005, 10, 300, 0.886, 0.005},
        {100, 0.02, 10, 600, 0.270, 0.018},
        {100, 0.005, 10, 600, 0.135, 0.013},
        {1000, 0.005, 2, 300, 0.279, 0.013},
    };
    unsigned count = options->full ? sizeof rows / sizeof *rows : 2;
    table_title(
        "**Equal variants that are called worse, counted by the end and by the start of their requests** "
        "(alpha 0.05, the candidate gets 5 %% from second 0; errors end at once)");
    table_columns("requests/s | errors | a success takes | by end | by start | reference");
    for (unsigned i = 0; i < count; i++)
        row_of(options, &rows[i]);
}

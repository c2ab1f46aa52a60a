// A whole rollout (R8) through the real machine: steps of 5, 10, 25 and 50 %, and then all, at least 60 s
// each; errors of 0.5 % in the baseline, 1.5 times that and 0.1 points more are allowed, a point of slack
// before the last step; every look at alpha 0.05, one guard, the settings of the reference.
#include "draw.h"
#include "rollout/machine.h"
#include "rollout/two_sample.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>

#define ALPHA    0.05
#define HISTORY  20000
#define BASELINE 0.005
#define RHO      1.5
#define DELTA    0.001
#define SLACK    0.01

enum ending { PROMOTED, ROLLED_BACK, TIMED_OUT, ENDINGS };

struct policy {
    double candidate, rps;
    double reference[ENDINGS], seconds; // seconds: of what mostly happens; NAN: not given
    bool small;                         // also in the subset
};
struct outcome {
    enum ending ending;
    double seconds, failed; // failed: requests of the candidate
};

struct rollout {
    struct machine machine;
    struct two_sample harm, fine, step;
    double waiting[4];
};

static const struct rollout_plan plan = {
    .strategy = ROLLOUT_CANARY,
    .candidate = 1,
    .variant_count = 2,
    .steps = {{500, 60000, 0}, {1000, 60000, 0}, {2500, 60000, 0}, {5000, 60000, 0}, {10000, 0, 0}},
    .step_count = 5,
    .start_by_version = true,
    .inconclusive = INCONCLUSIVE_HOLD,
    .step_timeout_ms = 7200000 - 60000, // the machine counts it from the end of the 60 s
    .file_weights = {10000, 0},
};

static void start(struct two_sample *process, enum two_sample_direction direction, double delta,
                  double events) {
    two_sample_init(process, &(struct two_sample_settings){.direction = direction,
                                                           .rho = RHO,
                                                           .delta = delta,
                                                           .prior_mean = 0.01,
                                                           .prior_weight = 50,
                                                           .restart_every = 10,
                                                           .decay = 1});
    two_sample_seed(process, HISTORY, events);
}

static void begin(struct rollout *rollout, struct random_state *random) {
    double events = draw_binomial(random, HISTORY, BASELINE);
    *rollout = (struct rollout){0};
    start(&rollout->harm, TWO_SAMPLE_HARM, DELTA, events);
    start(&rollout->fine, TWO_SAMPLE_NON_INFERIOR, DELTA, events);
    start(&rollout->step, TWO_SAMPLE_NON_INFERIOR, DELTA + SLACK, events);
    machine_init(&rollout->machine, &plan);
    struct rollout_event event = {.kind = EVENT_VERSION, .version = "v2"};
    struct rollout_outcome outcome;
    machine_step(&rollout->machine, &plan, &event, &outcome);
}

// Requests of one second. Returns how many of the candidate's failed.
static double serve(struct rollout *rollout, const struct policy *with, struct random_state *random) {
    uint32_t all = draw_poisson(random, with->rps);
    uint32_t nc = draw_binomial(random, all, rollout->machine.weights[1] / 10000.0);
    uint32_t failed = draw_binomial(random, nc, with->candidate);
    double *waiting = rollout->waiting;
    waiting[0] += all - nc;
    waiting[1] += draw_binomial(random, all - nc, BASELINE);
    waiting[2] += nc;
    waiting[3] += failed;
    if (waiting[0] <= 0 || waiting[2] <= 0)
        return failed;
    two_sample_update(&rollout->harm, waiting[0], waiting[1], waiting[2], waiting[3]);
    two_sample_update(&rollout->fine, waiting[0], waiting[1], waiting[2], waiting[3]);
    two_sample_update(&rollout->step, waiting[0], waiting[1], waiting[2], waiting[3]);
    waiting[0] = waiting[1] = waiting[2] = waiting[3] = 0;
    return failed;
}

static enum verdict verdict_of(const struct rollout *rollout, const struct two_sample *fine) {
    double needed = log(1 / ALPHA);
    if (two_sample_log_e(&rollout->harm, 1) >= needed)
        return VERDICT_FAIL;
    return two_sample_log_e(fine, 1) >= needed ? VERDICT_PASS : VERDICT_WAIT;
}

static void judge(struct rollout *rollout) {
    struct judgement judgement = {.guards = verdict_of(rollout, &rollout->fine),
                                  .step = verdict_of(rollout, &rollout->step),
                                  .winner = -1,
                                  .step_requests = 1000000,
                                  .because = "figures"};
    struct rollout_event event = {.kind = EVENT_TICK, .elapsed_ms = 1000, .judgement = &judgement};
    struct rollout_outcome outcome;
    machine_step(&rollout->machine, &plan, &event, &outcome);
}

static struct outcome run_once(const struct policy *with, const char *row, unsigned run) {
    struct random_state random = draw_begin(row, run);
    struct rollout rollout;
    struct outcome outcome = {0};
    begin(&rollout, &random);
    while (true) {
        outcome.seconds++;
        outcome.failed += serve(&rollout, with, &random);
        judge(&rollout);
        const struct machine *machine = &rollout.machine;
        if (machine->state == ROLLOUT_STEP && machine->hold == HOLD_NONE)
            continue;
        outcome.ending = machine->state == ROLLOUT_ROLLED_BACK ? ROLLED_BACK
                         : machine->weights[1] == SHARE_WHOLE  ? PROMOTED
                                                               : TIMED_OUT;
        return outcome;
    }
}

static void check(const char *row, const struct policy *with, const double *rates, double seconds,
                  const struct options *options, unsigned runs) {
    for (int i = 0; i < ENDINGS; i++) {
        if (with->reference[i] < 0.05) {
            table_at_most(row, rates[i], ALPHA, options, runs);
            continue;
        }
        table_at_least(row, rates[i], with->reference[i] - 0.05, options, runs);
        table_at_most(row, rates[i], fmin(1, with->reference[i] + 0.05), options, runs);
    }
    if (!isnan(with->seconds))
        table_near(row, seconds, with->seconds, options, runs);
}

static void row_of(const struct options *options, const struct policy *with) {
    char row[160];
    unsigned runs = table_runs(options, 25), counts[ENDINGS] = {0};
    struct sample seconds[ENDINGS] = {0}, failed[ENDINGS] = {0};
    snprintf(row, sizeof row, "whole rollout, candidate %g, %g requests/s", with->candidate, with->rps);
    if (!table_wants(options, row))
        return;
    for (unsigned run = 0; run < runs; run++) {
        struct outcome outcome = run_once(with, row, run);
        counts[outcome.ending]++;
        sample_add(&seconds[outcome.ending], outcome.seconds);
        sample_add(&failed[outcome.ending], outcome.failed);
    }
    double rates[ENDINGS];
    for (int i = 0; i < ENDINGS; i++)
        rates[i] = (double)counts[i] / runs;
    enum ending mostly = rates[PROMOTED] > 0.5      ? PROMOTED
                         : rates[ROLLED_BACK] > 0.1 ? ROLLED_BACK
                                                    : TIMED_OUT;
    double median = sample_quantile(&seconds[mostly], 0.5);
    table_cell("%g %%", 100 * with->candidate);
    table_cell("%g", with->rps);
    for (int i = 0; i < ENDINGS; i++)
        table_cell("%.3f", rates[i]);
    table_cell("%.0f s", median);
    table_cell("%.0f", sample_quantile(&failed[mostly], 0.5));
    table_cell("%.3f, %.3f, %.3f", with->reference[0], with->reference[1], with->reference[2]);
    if (isnan(with->seconds))
        table_cell("-");
    else
        table_cell("%.0f s", with->seconds);
    table_end_row();
    check(row, with, rates, median, options, runs);
    for (int i = 0; i < ENDINGS; i++) {
        sample_free(&seconds[i]);
        sample_free(&failed[i]);
    }
}

void simulate_policy(const struct options *options) {
    static const struct policy rows[] = {
        {0.005, 10, {0.996, 0, 0.004}, 2680, false},
        {0.005, 100, {1, 0, 0}, 330, true},
        {0.005, 1000, {1, 0, 0}, 240, true},
        {0.0085, 10, {0.020, 0.012, 0.968}, NAN, false},
        {0.0085, 100, {0.008, 0.018, 0.974}, NAN, false},
        {0.0085, 1000, {0.010, 0.016, 0.974}, NAN, false},
        {0.01, 10, {0.002, 0.192, 0.806}, NAN, false},
        {0.01, 100, {0, 1, 0}, 1851, false},
        {0.01, 1000, {0, 1, 0}, 265, false},
        {0.02, 10, {0, 0.996, 0.004}, 1650, false},
        {0.02, 100, {0, 1, 0}, 151, true},
        {0.02, 1000, {0, 1, 0}, 18, true},
        {0.05, 10, {0, 1, 0}, 210, true},
        {0.05, 100, {0, 1, 0}, 23, true},
        {0.05, 1000, {0, 1, 0}, 3, true},
        {1, 10, {0, 1, 0}, 4, true},
        {1, 100, {0, 1, 0}, 1, true},
        {1, 1000, {0, 1, 0}, 1, true},
    };
    table_title(
        "**Whole rollouts, with the settings of the reference** (baseline 0.5 %%, up to 0.85 %% allowed; "
        "alpha 0.05; a look every second; a step that says nothing within 2 h is held)");
    table_columns(
        "errors of the candidate | requests/s | promoted | rolled back | held | mostly after | failed "
        "requests of the candidate | reference | its time");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (options->full || rows[i].small)
            row_of(options, &rows[i]);
}

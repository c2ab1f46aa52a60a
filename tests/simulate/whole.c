// The whole controller as it is shipped: a configuration as people write it, its trial over ticks of 250 ms
// that mature, its guards and its machine. Nothing is known of the baseline before.
#include "base/strbuf.h"
#include "config/config.h"
#include "draw.h"
#include "rollout/machine.h"
#include "rollout/trial.h"
#include "simulate.h"
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BASELINE    0.005
#define MEDIAN_US   200000.0 // of the time a request takes; lognormal, as the reference has it
#define SPREAD      0.8
#define TICK_MS     250
#define START       UINT64_C(1000)
#define TICKS_MOST  (4 * 3600 * 4)
#define RATE_MARGIN 0.35 // points: 0.85 % is allowed, as in the table before

struct whole {
    const char *what;
    double errors, slower; // of the candidate; slower: 1.2 is 20 % slower
    double rps;
    bool times; // also a guard of the 95 % quantile, margin 20 %
    bool small;
};
enum ending { PROMOTED, ROLLED_BACK, HELD, ENDINGS };
struct outcome {
    enum ending ending;
    double seconds, failed;
};

struct world {
    const struct whole *with;
    struct random_state random;
    struct trial trial;
    struct machine machine;
    struct rollout_plan plan;
    struct histogram times;
    struct experiment_cell cells[2][EXPERIMENT_RING];
    uint64_t now;
    uint32_t version; // of the thresholds
    double failed;
};

static struct config *configure(bool times) {
    struct strbuf text = {0};
    struct diagnostics diagnostics;
    strbuf_format(&text,
                  "listeners: [{address: '127.0.0.1:0'}]\n"
                  "pools: {blue: {endpoints: ['http://127.0.0.1:9000']}}\n"
                  "routes:\n"
                  "  - name: chat\n"
                  "    variants:\n"
                  "      stable: {pool: blue, weight: 100}\n"
                  "      canary: {pool: blue, weight: 0, version: v2}\n"
                  "    rollout:\n"
                  "      strategy: canary\n"
                  "      steps: [{weight: 5, for: 1m}, {weight: 10, for: 1m}, {weight: 25, for: 1m},\n"
                  "              {weight: 50, for: 1m}, {weight: 100}]\n"
                  "      guards: {error_rate: {margin: %g}%s}\n"
                  "      step_timeout: 30m\n",
                  RATE_MARGIN, times ? ", latency_p95: {margin: 20}" : "");
    struct config *config = config_parse("simulated", strbuf_as_slice(&text), &diagnostics);
    for (size_t i = 0; !config && i < diagnostics.count; i++)
        fprintf(stderr, "%s\n", diagnostics.items[i].text);
    must(config);
    strbuf_free(&text);
    return config;
}

static bool read_cell(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct world *world = context;
    *cell = world->cells[arm][tick % EXPERIMENT_RING];
    if (cell->tick != tick) // before the beginning
        *cell = (struct experiment_cell){.tick = tick};
    return tick < world->now;
}

// The times of requests that did not fail, against the tick's thresholds.
static void take_times(struct world *world, size_t arm, struct experiment_cell *cell, uint32_t well) {
    double median = MEDIAN_US * (arm == 1 ? world->with->slower : 1);
    for (uint32_t i = 0; i < well; i++) {
        double us = median * exp(SPREAD * draw_normal(&world->random));
        if (arm == 0)
            histogram_add(&world->times, (uint64_t)us);
        for (int slot = 0; slot < 1; slot++)
            cell->within[slot] += us <= cell->limit_us[slot];
    }
}

// One tick of traffic; errors come at once.
static void serve(struct world *world) {
    uint32_t all = draw_poisson(&world->random, world->with->rps * TICK_MS / 1000);
    uint32_t of[2];
    of[1] = draw_binomial(&world->random, all, world->machine.weights[1] / 10000.0);
    of[0] = all - of[1];
    for (size_t arm = 0; arm < 2; arm++) {
        struct experiment_cell *cell = &world->cells[arm][world->now % EXPERIMENT_RING];
        uint32_t failed = draw_binomial(&world->random, of[arm], arm ? world->with->errors : BASELINE);
        *cell = (struct experiment_cell){.tick = world->now,
                                         .version = world->version,
                                         .started = of[arm],
                                         .failed_soon = failed,
                                         .failed = failed};
        memcpy(cell->limit_us, world->trial.thresholds.limit_us[arm], sizeof cell->limit_us);
        if (world->with->times)
            take_times(world, arm, cell, of[arm] - failed);
        if (arm == 1)
            world->failed += failed;
    }
    world->now++;
}

static void send(struct world *world, const struct rollout_event *event) {
    struct rollout_outcome outcome;
    machine_step(&world->machine, &world->plan, event, &outcome);
    if (outcome.acts & ACT_FRESH_EVIDENCE)
        trial_reset(&world->trial, world->now);
    if (outcome.acts & ACT_STEP_BEGINS)
        trial_step_begins(&world->trial);
}

static void begin(struct world *world, const struct whole *with, const struct route_config *route) {
    memset(world, 0, sizeof *world);
    world->with = with;
    world->now = START;
    world->version = 2;
    struct trial_settings settings = {.config = route->rollout, .candidate = 1, .arms = 3};
    trial_init(&world->trial, &settings, START);
    rollout_plan_read(&world->plan, route, NULL);
    machine_init(&world->machine, &world->plan);
    send(world, &(struct rollout_event){.kind = EVENT_VERSION, .version = "v2"});
}

static struct outcome run_once(const struct whole *with, const struct config *config, const char *row,
                               unsigned run) {
    static struct world world; // large
    static struct guard_outcome outcomes[GUARDS_MOST];
    static const struct histogram none;
    begin(&world, with, &config->routes[0]);
    world.random = draw_begin(row, run);
    struct trial_source source = {read_cell, &world};
    const struct machine *machine = &world.machine;
    for (int tick = 1; tick < TICKS_MOST; tick++) {
        if (with->times && tick % 4 == 1 && trial_aim(&world.trial, &world.times, &none))
            world.version += 2;
        serve(&world);
        trial_advance(&world.trial, world.now, TICK_MS, &source);
        struct judgement judgement;
        trial_judge(&world.trial, outcomes, &judgement);
        send(&world,
             &(struct rollout_event){.kind = EVENT_TICK, .elapsed_ms = TICK_MS, .judgement = &judgement});
        struct outcome outcome = {HELD, tick * TICK_MS / 1000.0, world.failed};
        if (machine->state == ROLLOUT_ROLLED_BACK)
            outcome.ending = ROLLED_BACK;
        else if (machine->weights[1] == SHARE_WHOLE)
            outcome.ending = PROMOTED;
        else if (machine->state == ROLLOUT_STEP && machine->hold != HOLD_INCONCLUSIVE)
            continue;
        return outcome;
    }
    return (struct outcome){HELD, TICKS_MOST * TICK_MS / 1000.0, world.failed};
}

static void check(const char *row, const struct whole *with, const double *rates,
                  const struct options *options, unsigned runs) {
    bool good = with->errors <= BASELINE && with->slower <= 1;
    if (good || with->errors == 0.0085) // what is within the margin, and at its very edge
        table_at_most(row, rates[ROLLED_BACK], 0.02, options, runs);
    if (!good)
        table_at_most(row, rates[PROMOTED], 0.05, options, runs);
    if (good && with->rps >= 100)
        table_at_least(row, rates[PROMOTED], 0.95, options, runs);
    if (with->errors >= 0.02 || with->slower >= 2)
        table_at_least(row, rates[ROLLED_BACK], 0.95, options, runs);
}

static void row_of(const struct options *options, const struct whole *with) {
    char row[160];
    unsigned runs = table_runs(options, 10), counts[ENDINGS] = {0};
    struct sample seconds[ENDINGS] = {0}, failed[ENDINGS] = {0};
    snprintf(row, sizeof row, "as shipped, %s, %g requests/s", with->what, with->rps);
    if (!table_wants(options, row))
        return;
    struct config *config = configure(with->times);
    for (unsigned run = 0; run < runs; run++) {
        struct outcome outcome = run_once(with, config, row, run);
        counts[outcome.ending]++;
        sample_add(&seconds[outcome.ending], outcome.seconds);
        sample_add(&failed[outcome.ending], outcome.failed);
    }
    double rates[ENDINGS];
    enum ending mostly = PROMOTED;
    table_cell("%s", with->what);
    table_cell("%g", with->rps);
    for (int i = 0; i < ENDINGS; i++) {
        rates[i] = (double)counts[i] / runs;
        mostly = rates[i] > rates[mostly] ? (enum ending)i : mostly;
        table_cell("%.4f", rates[i]);
    }
    table_cell("%.4g s (%.4g s)", sample_quantile(&seconds[mostly], 0.5),
               sample_quantile(&seconds[mostly], 0.9));
    table_cell("%.0f", sample_quantile(&failed[mostly], 0.5));
    table_end_row();
    check(row, with, rates, options, runs);
    for (int i = 0; i < ENDINGS; i++) {
        sample_free(&seconds[i]);
        sample_free(&failed[i]);
    }
    config_unref(config);
}

void simulate_whole(const struct options *options) {
    // A margin of 20 % is 9 buckets of 32 to the octave: 2^(9/32).
    static const struct whole rows[] = {
        {"all requests fail", 1, 1, 100, false, true},
        {"5 % fail", 0.05, 1, 100, false, true},
        {"2 % fail", 0.02, 1, 100, false, false},
        {"equal", 0.005, 1, 100, false, true},
        {"0.85 % fail: the margin's edge", 0.0085, 1, 100, false, false},
        {"equal, two guards", 0.005, 1, 100, true, true},
        {"equal, two guards", 0.005, 1, 1000, true, false},
        {"21.5 % slower: the margin's edge", 0.005, 1.2152915, 100, true, false},
        {"twice as slow", 0.005, 2, 100, true, true},
        {"5 % fail", 0.05, 1, 10, false, false},
        {"5 % fail", 0.05, 1, 1000, false, false},
        {"equal", 0.005, 1, 1000, false, false},
    };
    table_title("**Whole rollouts as shipped, without any history** (`error_rate: {margin: 0.35}`, where two "
                "guards are named also `latency_p95: {margin: 20}`; `confidence: 95`, `horizon: 30s`, steps "
                "of 5, 10, 25 and 50 %% for 1m each, `step_timeout: 30m`; errors come at once; median and in "
                "brackets the 90 %% quantile of what mostly happens)");
    table_columns(
        "candidate | requests/s | promoted | rolled back | held | mostly after | failed requests of "
        "the candidate");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        if (options->full || rows[i].small)
            row_of(options, &rows[i]);
}

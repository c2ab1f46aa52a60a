#include "trial_run.h"

#include "base/random.h"
#include "base/strbuf.h"
#include "unit.h"

#include <string.h>

static uint32_t some(struct random_state *random, double n, double p) {
    uint32_t hits = 0;
    for (int i = 0; i < (int)n; i++)
        hits += (double)(random_next(random) >> 11) / 9007199254740992.0 < p;
    return hits;
}

// The same tick always has the same outcomes; what is late is not there before its time.
static bool read_tick(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell) {
    const struct world *world = context;
    const struct arm *like = &world->arms[arm];
    struct random_state random;
    random_seed_fixed(&random, world->seed * 1000003 + tick * 7 + arm);
    double n = like->per_tick < 1 ? some(&random, 1, like->per_tick) : like->per_tick;
    uint32_t failed = some(&random, n, like->error_rate), slow = some(&random, n - failed, like->slow_rate);
    *cell = (struct experiment_cell){.tick = tick, .started = (uint32_t)n, .version = 2};
    if (!like->errors_late) {
        cell->failed_soon = cell->failed = failed;
    } else if (tick + 41 <= world->now) {
        cell->failed = failed;
    }
    if (like->refuses)
        cell->excluded = (uint32_t)n;
    for (int i = 0; i < EXPERIMENT_SLOTS; i++) {
        cell->limit_us[i] = 100000u << (arm == 1);
        cell->within[i] = (uint32_t)n - failed - slow;
    }
    return !world->gone;
}

struct config *trial_run_configure(const char *rollout) {
    struct strbuf text = {0};
    struct diagnostics diagnostics;
    strbuf_format(&text,
                  "listeners: [{address: '127.0.0.1:0'}]\n"
                  "pools: {blue: {endpoints: [http://127.0.0.1:9000]}}\n"
                  "routes:\n"
                  "  - name: chat\n"
                  "    variants:\n"
                  "      stable: {pool: blue, weight: 95, price: {input: 1, output: 1}}\n"
                  "      canary: {pool: blue, weight: 5, price: {input: 1, output: 1}}\n"
                  "    rollout: {strategy: canary, steps: [{weight: 5}], %s}\n",
                  rollout);
    struct config *config = config_parse("test.yaml", strbuf_as_slice(&text), &diagnostics);
    for (size_t i = 0; !config && i < diagnostics.count; i++)
        print_error("%s\n", diagnostics.items[i].text);
    assert_non_null(config);
    strbuf_free(&text);
    return config;
}

void trial_run_begin(struct trial_run *run, const char *rollout, uint64_t seed) {
    memset(run, 0, sizeof *run);
    run->config = trial_run_configure(rollout);
    run->world.now = START;
    run->world.seed = seed;
    run->world.arms[0] = (struct arm){.per_tick = 95, .error_rate = 0.005, .slow_rate = 0.05};
    run->world.arms[1] = (struct arm){.per_tick = 5, .error_rate = 0.005, .slow_rate = 0.05};
    struct trial_settings settings = {.config = run->config->routes[0].rollout, .candidate = 1, .arms = ARMS};
    trial_init(&run->trial, &settings, START);
}

void trial_run_end(struct trial_run *run) {
    config_unref(run->config);
}

enum verdict trial_run_tick(struct trial_run *run) {
    struct trial_source source = {read_tick, &run->world};
    run->world.now++;
    trial_advance(&run->trial, run->world.now, 250, &source);
    trial_judge(&run->trial, run->outcomes, &run->judgement);
    return run->judgement.guards;
}

unsigned trial_run_until(struct trial_run *run, enum verdict verdict, unsigned most) {
    for (unsigned i = 1; i <= most; i++)
        if (trial_run_tick(run) == verdict)
            return i;
    return 0;
}

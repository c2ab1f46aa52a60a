// What the machine has to know of the configuration.
#include "rollout/machine.h"

#include "base/hash.h"

#include <string.h>

static void read_steps(struct rollout_plan *plan, const struct rollout_config *config) {
    for (size_t i = 0; i < config->step_count && plan->step_count < ROLLOUT_STEPS; i++) {
        const struct step_config *step = &config->steps[i];
        plan->steps[plan->step_count++] = (struct rollout_step_plan){
            .weight = step->pause ? -1 : step->weight,
            .duration_ms = step->duration,
            .min_requests = (uint64_t)step->min_requests,
        };
    }
}

static void read_switch(struct rollout_plan *plan, const struct rollout_config *config) {
    if (config->switch_over == ROLLOUT_START_MANUAL)
        plan->steps[plan->step_count++].weight = -1;
    plan->steps[plan->step_count++].weight = SHARE_WHOLE;
}

static void read_batches(struct rollout_plan *plan, const struct rollout_config *config,
                         const struct pool_config *pool) {
    size_t batches = (pool->endpoint_count + (size_t)config->batch - 1) / (size_t)config->batch;
    plan->step_count = (unsigned)batches; // they have no weights: `steps` is not looked at
    plan->members = (uint64_t)config->batch;
    for (size_t i = 0; i < pool->endpoint_count; i++)
        plan->members = hash_bytes(plan->members, slice_of(pool->endpoints[i].url));
}

void rollout_plan_read(struct rollout_plan *plan, const struct route_config *route,
                       const struct pool_config *pool) {
    const struct rollout_config *config = route->rollout;
    *plan = (struct rollout_plan){
        .strategy = config->strategy,
        .baseline = route->baseline,
        .candidate = config->candidate_index,
        .variant_count = route->variant_count,
        .gated = config->before.smoke_test_count > 0 || config->before.evaluation,
        .hooked = config->hooks.before_step != NULL,
        .start_by_version = config->start == ROLLOUT_START_AUTO,
        .inconclusive = config->inconclusive,
        .on_winner = config->on_winner,
        .step_timeout_ms = config->step_timeout,
        .rollback_over_ms = config->rollback_over,
        .keep_warm_ms = config->keep_warm,
        .watch_ms = config->watch,
        .max_duration_ms = config->max_duration,
    };
    for (size_t i = 0; i < route->variant_count; i++)
        plan->file_weights[i] = (uint16_t)route->variants[i].weight;
    switch (config->strategy) {
    case ROLLOUT_CANARY:
        read_steps(plan, config);
        break;
    case ROLLOUT_BLUE_GREEN:
        read_switch(plan, config);
        break;
    case ROLLOUT_ROLLING:
        read_batches(plan, config, pool);
        break;
    case ROLLOUT_AB:
        plan->steps[plan->step_count++].weight = 0; // the file's weights
        break;
    }
}

#include "proxy/plan.h"
#include "proxy/issued.h"

#include "base/strbuf.h"
#include "config/rollout.h"
#include "http/writer.h"

struct generation {
    struct refcount refs;
    struct config *config; // with a reference
    struct matcher *matcher;
    struct variant_series *unrouted;
    struct plan_variant **variants;  // by route
    struct budget **budgets;         // by route; NULL where there is no retry
    struct experiment **experiments; // by route; NULL where there is no rollout
    struct mirror_gauge *mirrored;   // by route
};

// Numbers are given by the control thread only.
static uint64_t last_number;

// The lines by which the upstream is told of it, and the client where it is told.
static void write_lines(const struct route_config *route, struct plan_variant *variant) {
    struct strbuf lines = {0};
    write_field(&lines, SLICE("X-Sluice-Route"), slice_of(route->name));
    size_t first = lines.len;
    write_field(&lines, SLICE("X-Sluice-Variant"), slice_of(variant->config->name));
    variant->told = strbuf_as_slice(&lines); // and keeps the memory
    variant->exposed = slice_from(variant->told, first);
}

static struct plan_variant *make_variants(const struct config *config, const struct route_config *route,
                                          struct registry *registry) {
    struct plan_variant *variants = mem_zero(route->variant_count, sizeof *variants);
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        variants[i] = (struct plan_variant){
            .config = variant,
            .series = registry_variant(registry, route->name, variant->name),
            .pool = variant->pool_index,
            .arm = issued_arm(route->name, variant->name),
            .timeouts = config_timeouts(config, route, &config->pools[variant->pool_index]),
        };
        write_lines(route, &variants[i]);
    }
    return variants;
}

// What is counted belongs to the arms by name: other variants, or another order, are another experiment.
static struct experiment *make_experiment(const struct route_config *route, struct registry *registry) {
    struct strbuf arms = {0};
    for (size_t i = 0; i < route->variant_count; i++)
        strbuf_format(&arms, "%s%s", i ? "," : "", route->variants[i].name);
    struct experiment *experiment =
        registry_experiment(registry, route->name, strbuf_text(&arms), route->variant_count + 1);
    strbuf_free(&arms);
    return experiment;
}

static struct generation *generation_new(struct config *config, struct registry *registry,
                                         unsigned lane_count) {
    struct generation *generation = mem_zero(1, sizeof *generation);
    refcount_init(&generation->refs);
    generation->config = config_ref(config);
    generation->matcher = matcher_new(config);
    generation->unrouted = registry_variant(registry, "-", "-");
    generation->variants = mem_zero(config->route_count, sizeof *generation->variants);
    generation->budgets = mem_zero(config->route_count, sizeof *generation->budgets);
    generation->experiments = mem_zero(config->route_count, sizeof *generation->experiments);
    generation->mirrored = mem_zero(config->route_count, sizeof *generation->mirrored);
    for (size_t i = 0; i < config->route_count; i++) {
        generation->variants[i] = make_variants(config, &config->routes[i], registry);
        if (config->routes[i].retry)
            generation->budgets[i] = budget_new(lane_count, config->routes[i].retry->budget);
        if (config->routes[i].rollout)
            generation->experiments[i] = make_experiment(&config->routes[i], registry);
    }
    return generation;
}

static void generation_unref(struct generation *generation) {
    if (!refcount_drop(&generation->refs))
        return;
    for (size_t i = 0; i < generation->config->route_count; i++) {
        for (size_t k = 0; k < generation->config->routes[i].variant_count; k++) {
            variant_unref(generation->variants[i][k].series);
            mem_free((char *)generation->variants[i][k].told.at);
        }
        mem_free(generation->variants[i]);
        if (generation->budgets[i])
            budget_free(generation->budgets[i]);
        experiment_unref(generation->experiments[i]);
    }
    mem_free(generation->variants);
    mem_free(generation->budgets);
    mem_free(generation->experiments);
    mem_free(generation->mirrored);
    variant_unref(generation->unrouted);
    matcher_free(generation->matcher);
    config_unref(generation->config);
    mem_free(generation);
}

// A plan without routes and pools filled in. Takes its own reference to the generation.
static struct plan *plan_blank(struct generation *generation) {
    struct plan *plan = mem_zero(1, sizeof *plan);
    refcount_init(&plan->refs);
    refcount_take(&generation->refs);
    plan->number = ++last_number;
    plan->generation = generation;
    plan->config = generation->config;
    plan->matcher = generation->matcher;
    plan->unrouted = generation->unrouted;
    plan->routes = mem_zero(generation->config->route_count, sizeof *plan->routes);
    plan->pools = mem_zero(generation->config->pool_count, sizeof *plan->pools);
    return plan;
}

// Epochs are never used twice, so that what is counted under other weights can be told apart.
static uint32_t last_epoch;

// The control slice lies at the far end of the baseline's buckets and is as large as the first candidate.
static void weights_changed(struct plan_route *route) {
    const struct route_config *config = route->live.config;
    const struct split *split = &route->live.split;
    route->epoch = ++last_epoch;
    route->control_from = route->control_end = 0;
    if (!config->rollout || !config->rollout->control)
        return;
    for (unsigned i = 0; i < split->range_count; i++) {
        const struct split_range *range = &split->ranges[i];
        if (range->variant != config->baseline)
            continue;
        unsigned size = split->weight[config->rollout->candidate_index], most = range->end - range->first;
        route->control_end = range->end;
        route->control_from = (uint16_t)(range->end - (size < most ? size : most));
    }
}

struct plan *plan_new(struct config *config, struct registry *registry,
                      const struct directory_change *change) {
    struct generation *generation =
        generation_new(config, registry, directory_prepared(change, 0)->pool->lane_count);
    struct plan *plan = plan_blank(generation);
    for (size_t i = 0; i < config->route_count; i++) {
        live_route_init(&plan->routes[i].live, &config->routes[i]);
        plan->routes[i].variants = generation->variants[i];
        plan->routes[i].retry_budget = generation->budgets[i];
        plan->routes[i].timeouts = config_timeouts(config, &config->routes[i], NULL);
        plan->routes[i].experiment = generation->experiments[i];
        plan->routes[i].mirrored = config->routes[i].mirror ? &generation->mirrored[i] : NULL;
        weights_changed(&plan->routes[i]);
    }
    for (size_t i = 0; i < config->pool_count; i++) {
        const struct prepared_pool *prepared = directory_prepared(change, i);
        plan->pools[i] =
            pool_view_new(prepared->pool, prepared->endpoints, prepared->endpoint_count, &config->pools[i]);
    }
    generation_unref(generation);
    return plan;
}

static struct plan *plan_copy(const struct plan *plan) {
    struct plan *copy = plan_blank(plan->generation);
    memcpy(copy->routes, plan->routes, plan->config->route_count * sizeof *copy->routes);
    for (size_t i = 0; i < plan->config->route_count; i++)
        turn_ref(copy->routes[i].live.turn);
    for (size_t i = 0; i < plan->config->pool_count; i++)
        copy->pools[i] = pool_view_ref(plan->pools[i]);
    return copy;
}

static void set_weights(struct plan_route *route, const uint16_t *weights) {
    const struct route_config *config = route->live.config;
    turn_unref(route->live.turn);
    route->live.turn = NULL;
    split_build(&route->live.split, weights, config->variant_count, config->baseline);
    weights_changed(route);
}

static void set_turn(struct plan_route *route, const uint16_t *weights, struct turn *turn) {
    const struct route_config *config = route->live.config;
    route->live.split = *live_split(&route->live);
    turn_unref(route->live.turn);
    route->live.turn = turn_ref(turn);
    split_build(&route->live.next, weights, config->variant_count, config->baseline);
}

struct plan *plan_with_weights(const struct plan *plan, size_t route, const uint16_t *weights) {
    struct plan *copy = plan_copy(plan);
    const struct route_config *routes = plan->config->routes;
    for (size_t i = 0; i < plan->config->route_count; i++)
        if (config_linked(&routes[route], &routes[i]))
            set_weights(&copy->routes[i], weights);
    return copy;
}

struct plan *plan_with_turn(const struct plan *plan, size_t route, const uint16_t *weights) {
    struct plan *copy = plan_copy(plan);
    const struct route_config *routes = plan->config->routes;
    struct turn *turn = turn_new();
    for (size_t i = 0; i < plan->config->route_count; i++)
        if (config_linked(&routes[route], &routes[i]))
            set_turn(&copy->routes[i], weights, turn);
    turn_unref(turn);
    return copy;
}

struct plan *plan_with_pool(const struct plan *plan, size_t pool) {
    struct plan *copy = plan_copy(plan);
    struct pool *running = plan->pools[pool]->pool;
    pool_view_unref(copy->pools[pool]);
    copy->pools[pool] =
        pool_view_new(running, running->endpoints, running->endpoint_count, &plan->config->pools[pool]);
    return copy;
}

struct plan *plan_ref(struct plan *plan) {
    refcount_take(&plan->refs);
    return plan;
}

void plan_unref(struct plan *plan) {
    if (!plan || !refcount_drop(&plan->refs))
        return;
    for (size_t i = 0; i < plan->config->route_count; i++)
        turn_unref(plan->routes[i].live.turn);
    for (size_t i = 0; i < plan->config->pool_count; i++)
        pool_view_unref(plan->pools[i]);
    mem_free(plan->pools);
    mem_free(plan->routes);
    generation_unref(plan->generation);
    mem_free(plan);
}

// plan: the one immutable, reference-counted picture of everything the workers need to decide: configuration,
// live weights, endpoint health. Built and published by the control thread only; whatever changes becomes a
// new plan.
#pragma once
#include "metrics/registry.h"
#include "proxy/retry.h"
#include "traffic/decide.h"
#include "upstream/directory.h"

// Of a route's mirror, shared by the workers.
struct mirror_gauge {
    atomic_uint copies;        // under way
    _Atomic uint64_t pause_ns; // monotonic: no endpoint could be reached of late; none is begun before
};
struct plan_variant {
    const struct variant_config *config;
    struct variant_series *series;   // with a reference held by the generation
    size_t pool;                     // in plan->pools
    uint32_t arm;                    // issued_arm() of its names
    struct timeouts_config timeouts; // effective
    struct slice told;               // X-Sluice-Route and X-Sluice-Variant, as lines of a head
    struct slice exposed;            // of them X-Sluice-Variant
};
struct plan_route {
    struct live_route live;
    const struct plan_variant *variants; // live.config->variant_count of them; the generation's
    struct budget *retry_budget;         // the generation's; NULL when the route has no retry
    struct timeouts_config timeouts;     // effective before a variant is chosen
    struct experiment *experiment;       // the generation's; NULL when the route has no rollout
    struct tasks *tasks;                 // traffic/tasks.h; NULL when the route has no affinity
    struct mirror_gauge *mirrored;       // the generation's; NULL when the route has no mirror
    uint32_t epoch;                      // one higher each time its weights change
    uint16_t control_from, control_end;  // buckets of the baseline that are the control slice; empty: none
};
// The arm of an experiment that counts the control slice: past the variants.
static inline size_t plan_control_arm(const struct plan_route *route) {
    return route->live.config->variant_count;
}
// What all plans of one configuration share.
struct generation;
struct plan {
    struct refcount refs;
    uint64_t number; // 1, 2, 3 …: order of publication
    struct generation *generation;
    const struct config *config; // the generation's
    const struct matcher *matcher;
    struct plan_route *routes;       // config->route_count
    struct pool_view **pools;        // config->pool_count, with references
    struct variant_series *unrouted; // requests that belong to no route: route="-", variant="-"
};

// The first plan of a configuration: the file's weights and the prepared pools, before the commit. Takes its
// own reference to the configuration.
struct plan *plan_new(struct config *config, struct registry *registry,
                      const struct directory_change *change);
// The same configuration with the weights changed of one route and of those it is linked with (basis points
// by variant, sum 10,000) …
struct plan *plan_with_weights(const struct plan *plan, size_t route, const uint16_t *weights);
// … or with weights that hold on all workers from the moment on at which the control thread sets
// routes[route].live.turn to done, which it does once every worker has this plan …
struct plan *plan_with_turn(const struct plan *plan, size_t route, const uint16_t *weights);
// … or with one pool's endpoints looked at again (health, drain, ejection). Everything else is shared.
struct plan *plan_with_pool(const struct plan *plan, size_t pool);
struct plan *plan_ref(struct plan *plan);
void plan_unref(struct plan *plan); // any thread

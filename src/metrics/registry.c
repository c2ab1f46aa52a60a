#include "metrics/registry.h"

#include <stdlib.h>
#include <string.h>

// Look-ups go through a chained hash table; the order that scrapes need is made when one asks after a change,
// so that a reload with thousands of variants costs n log n and not n squared.
struct held_experiment {
    char *route, *arms;
    struct experiment *experiment;
};
struct registry {
    unsigned lane_count;
    struct variant_series **buckets;
    size_t bucket_count; // a power of two
    struct variant_series **series;
    size_t count, capacity;
    bool sorted;
    struct held_experiment *experiments; // of routes with a rollout: never many
    size_t experiment_count;
};

struct registry *registry_new(unsigned lane_count) {
    must(lane_count > 0);
    struct registry *registry = mem_zero(1, sizeof *registry);
    registry->lane_count = lane_count;
    registry->bucket_count = 64;
    registry->buckets = mem_zero(registry->bucket_count, sizeof *registry->buckets);
    registry->sorted = true;
    return registry;
}

static struct variant_series *series_new(unsigned lane_count, const char *route, const char *variant) {
    struct variant_series *series = mem_zero(1, sizeof *series);
    refcount_init(&series->refs);
    series->route = mem_copy_string(route);
    series->variant = mem_copy_string(variant);
    series->lane_count = lane_count;
    series->lanes = mem_zero(lane_count, sizeof *series->lanes);
    series->exemplars = mem_zero(lane_count, sizeof *series->exemplars);
    for (unsigned i = 0; i < lane_count; i++)
        series->lanes[i] = mem_zero_aligned(64, sizeof **series->lanes);
    return series;
}

static void series_free(struct variant_series *series) {
    for (unsigned i = 0; i < series->lane_count; i++) {
        mem_free(atomic_load(&series->exemplars[i]));
        mem_free(series->lanes[i]);
    }
    mem_free(series->lanes);
    mem_free(series->exemplars);
    mem_free((char *)series->route);
    mem_free((char *)series->variant);
    mem_free(series);
}

static void held_free(struct held_experiment *held) {
    experiment_free(held->experiment);
    mem_free(held->route);
    mem_free(held->arms);
}

void registry_free(struct registry *registry) {
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        series_free(registry->series[i]);
    for (size_t i = 0; i < registry->experiment_count; i++)
        held_free(&registry->experiments[i]);
    mem_free(registry->experiments);
    mem_free(registry->series);
    mem_free(registry->buckets);
    mem_free(registry);
}

// FNV-1a: the names come from the configuration, never from clients.
static size_t name_hash(const char *route, const char *variant) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = route; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    hash = (hash ^ 0xff) * 0x100000001b3u; // a byte that no UTF-8 name has
    for (const char *at = variant; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

static struct variant_series **chain_of(const struct registry *registry, const char *route,
                                        const char *variant) {
    return &registry->buckets[name_hash(route, variant) & (registry->bucket_count - 1)];
}

static void chain_all(struct registry *registry, size_t bucket_count) {
    mem_free(registry->buckets);
    registry->bucket_count = bucket_count;
    registry->buckets = mem_zero(bucket_count, sizeof *registry->buckets);
    for (size_t i = 0; i < registry->count; i++) {
        struct variant_series *series = registry->series[i];
        struct variant_series **chain = chain_of(registry, series->route, series->variant);
        series->next = *chain;
        *chain = series;
    }
}

static void keep(struct registry *registry, struct variant_series *series) {
    if (registry->count == registry->capacity) {
        registry->capacity = registry->capacity ? registry->capacity * 2 : 64;
        registry->series = mem_resize(registry->series, registry->capacity * sizeof(struct variant_series *));
    }
    registry->series[registry->count++] = series;
    registry->sorted = false;
    if (registry->count > registry->bucket_count) {
        chain_all(registry, registry->bucket_count * 2);
        return;
    }
    struct variant_series **chain = chain_of(registry, series->route, series->variant);
    series->next = *chain;
    *chain = series;
}

struct variant_series *registry_variant(struct registry *registry, const char *route, const char *variant) {
    struct variant_series *series = *chain_of(registry, route, variant);
    while (series && (strcmp(series->route, route) != 0 || strcmp(series->variant, variant) != 0))
        series = series->next;
    if (!series) {
        series = series_new(registry->lane_count, route, variant);
        keep(registry, series);
    }
    refcount_take(&series->refs);
    return series;
}

struct experiment *registry_experiment(struct registry *registry, const char *route, const char *arms,
                                       size_t arm_count) {
    for (size_t i = 0; i < registry->experiment_count; i++) {
        const struct held_experiment *held = &registry->experiments[i];
        if (strcmp(held->route, route) == 0 && strcmp(held->arms, arms) == 0)
            return experiment_ref(held->experiment);
    }
    registry->experiments =
        mem_resize(registry->experiments, (registry->experiment_count + 1) * sizeof *registry->experiments);
    struct held_experiment *held = &registry->experiments[registry->experiment_count++];
    *held = (struct held_experiment){mem_copy_string(route), mem_copy_string(arms),
                                     experiment_new(registry->lane_count, arm_count)};
    return experiment_ref(held->experiment);
}

static void sweep_experiments(struct registry *registry) {
    size_t kept = 0;
    for (size_t i = 0; i < registry->experiment_count; i++) {
        if (experiment_unused(registry->experiments[i].experiment))
            held_free(&registry->experiments[i]);
        else
            registry->experiments[kept++] = registry->experiments[i];
    }
    registry->experiment_count = kept;
}

// Only the registry hands references out and it belongs to one thread: a series that only the registry still
// refers to cannot be taken meanwhile. The acquire pairs with the last variant_unref of another thread.
void registry_sweep(struct registry *registry) {
    sweep_experiments(registry);
    size_t kept = 0;
    for (size_t i = 0; i < registry->count; i++) {
        struct variant_series *series = registry->series[i];
        if (atomic_load_explicit(&series->refs.count, memory_order_acquire) == 1)
            series_free(series);
        else
            registry->series[kept++] = series;
    }
    if (kept == registry->count)
        return;
    registry->count = kept;
    chain_all(registry, registry->bucket_count);
}

static int by_name(const void *left, const void *right) {
    const struct variant_series *a = *(struct variant_series *const *)left;
    const struct variant_series *b = *(struct variant_series *const *)right;
    int order = strcmp(a->route, b->route);
    return order ? order : strcmp(a->variant, b->variant);
}

void registry_each(struct registry *registry,
                   void (*visit)(const struct variant_series *series, void *context), void *context) {
    if (!registry->sorted)
        qsort(registry->series, registry->count, sizeof(struct variant_series *), by_name);
    registry->sorted = true;
    for (size_t i = 0; i < registry->count; i++)
        visit(registry->series[i], context);
}

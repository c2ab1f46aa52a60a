// A route's variants: pools, edits, weights.
#include "base/mem.h"
#include "check.h"
#include "value.h"

#define VARIANTS_MOST      16
#define VERSION_BYTES_MOST 127 // as many as a rollout's journal compares

const char *route_label(struct check *check, const struct route_config *route) {
    return route->name ? arena_format(check->arena, "route `%s`", route->name) : "this route";
}

size_t check_variant(struct check *check, const struct route_config *route, const char *const *field,
                     const char *key) {
    const char *names[VARIANTS_MOST];
    size_t count = route->variant_count < VARIANTS_MOST ? route->variant_count : VARIANTS_MOST;
    for (size_t i = 0; i < route->variant_count; i++)
        if (strcmp(route->variants[i].name, *field) == 0)
            return i;
    if (count == 0) // reported already
        return 0;
    for (size_t i = 0; i < count; i++)
        names[i] = route->variants[i].name;
    report_add(check->report, place_of_field(check, field, route->place),
               suggest(check->arena, *field, names, count), "`%s: %s` names no variant of %s", key, *field,
               route_label(check, route));
    return route->variant_count;
}

static void check_pool(struct check *check, struct variant_config *variant, const struct named *pools) {
    struct config *config = check->config;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
    if (!variant->pool || config->pool_count == 0) // reported already
        return;
    const struct named *found = names_find(pools, config->pool_count, variant->pool);
    if (found) {
        variant->pool_index = found->index;
        return;
    }
    const char **names = mem_alloc(config->pool_count * sizeof *names);
    for (size_t i = 0; i < config->pool_count; i++)
        names[i] = config->pools[i].name;
    report_add(check->report, place_of_field(check, &variant->pool, variant->place),
               suggest(check->arena, variant->pool, names, config->pool_count),
               "variant `%.64s` names pool `%s`, which does not exist", variant->name, variant->pool);
    mem_free(names);
}

// ---- weights

const char *percent_text(struct check *check, int64_t points) {
    if (points % 100 == 0)
        return arena_format(check->arena, "%lld", (long long)points / 100);
    return arena_format(check->arena, points % 10 ? "%lld.%02lld" : "%lld.%lld", (long long)points / 100,
                        points % 10 ? (long long)points % 100 : (long long)points % 100 / 10);
}

// What a variant without a weight, or one that was refused, would take is not known: no sum then.
static bool weight_refused(struct check *check, const struct variant_config *variant) {
    return report_refused(check->report, variant) || report_refused(check->report, &variant->weight);
}

static void check_missing_weights(struct check *check, const struct route_config *route, int64_t sum,
                                  size_t missing) {
    for (size_t i = 0; i < route->variant_count; i++) {
        const struct variant_config *variant = &route->variants[i];
        if (variant->weight >= 0 || weight_refused(check, variant))
            continue;
        const char *hint =
            missing > 1 || sum > SHARE_WHOLE
                ? NULL
                : arena_format(check->arena, "%s is left for it", percent_text(check, SHARE_WHOLE - sum));
        report_add(check->report, variant->place, hint, "variant `%.64s` of %s has no weight", variant->name,
                   route_label(check, route));
    }
}

static void check_weights(struct check *check, struct route_config *route) {
    int64_t sum = 0;
    size_t missing = 0;
    if (route->variant_count == 1 && route->variants[0].weight < 0)
        route->variants[0].weight = SHARE_WHOLE;
    for (size_t i = 0; i < route->variant_count; i++) {
        missing += route->variants[i].weight < 0;
        sum += route->variants[i].weight > 0 ? route->variants[i].weight : 0;
    }
    if (missing)
        check_missing_weights(check, route, sum, missing);
    if (missing || sum == SHARE_WHOLE)
        return;
    for (size_t i = 0; i < route->variant_count; i++)
        if (weight_refused(check, &route->variants[i]))
            return;
    const struct variant_config *baseline = &route->variants[route->baseline];
    int64_t fitting = SHARE_WHOLE - sum + baseline->weight;
    const char *hint = fitting < 0 || fitting > SHARE_WHOLE
                           ? NULL
                           : arena_format(check->arena, "with weight: %s for `%.64s` they would",
                                          percent_text(check, fitting), baseline->name);
    report_add(check->report, place_of_field(check, &route->variants, route->place), hint,
               "the weights of %s sum to %s, not 100", route_label(check, route), percent_text(check, sum));
}

static void check_version(struct check *check, const struct variant_config *variant) {
    size_t length = variant->version ? strlen(variant->version) : 0;
    if (length > VERSION_BYTES_MOST)
        report_add(check->report, place_of_field(check, &variant->version, variant->place), NULL,
                   "a version has at most %d bytes, not %zu", VERSION_BYTES_MOST, length);
}

void check_variants(struct check *check, struct route_config *route, const struct named *pools) {
    if (route->variants && route->variant_count == 0)
        report_add(check->report, place_of_field(check, &route->variants, route->place), NULL,
                   "%s has no variants", route_label(check, route));
    if (route->variant_count > VARIANTS_MOST)
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
        report_add(check->report, route->variants[VARIANTS_MOST].place, NULL,
                   "%s has %zu variants; at most %d are possible", route_label(check, route),
                   route->variant_count, VARIANTS_MOST);
    for (size_t i = 0; i < route->variant_count; i++) {
        check_pool(check, &route->variants[i], pools);
        check_edits(check, &route->variants[i]);
        check_version(check, &route->variants[i]);
    }
    if (route->variant_count)
        check_weights(check, route);
}

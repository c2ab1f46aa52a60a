// Linked experiments: routes that share one split alike, so that a unit has one arm in all of them.
#include "base/mem.h"
#include "base/strbuf.h"
#include "check.h"
#include "config/rollout.h"

void check_experiment(struct check *check, struct route_config *route) {
    struct sticky_config *sticky = &route->sticky;
    if (sticky->salt)
        report_add(check->report, place_of_field(check, &sticky->salt, sticky->place),
                   "remove it: other routes and other sluices must get the same",
                   "the salt of %s follows from its experiment `%s`", route_label(check, route),
                   route->experiment);
    sticky->salt = arena_format(check->arena, "experiment/%s", route->experiment);
    route->baggage = arena_format(check->arena, "sluice.%s", route->experiment);
}

static const char *list_variants(struct check *check, const struct route_config *route) {
    struct strbuf names = {0};
    for (size_t i = 0; i < route->variant_count; i++)
        strbuf_format(&names, "%s%.64s", i ? ", " : "", route->variants[i].name);
    const char *list = arena_string(check->arena, strbuf_as_slice(&names));
    strbuf_free(&names);
    return list;
}

// The position of the first variant that is another one, or the number of variants when all are the same.
static size_t first_difference(const struct route_config *route, const struct route_config *other) {
    size_t i = 0;
    while (i < route->variant_count && i < other->variant_count &&
           strcmp(route->variants[i].name, other->variants[i].name) == 0)
        i++;
    return i;
}

static bool weights_known(struct check *check, const struct route_config *route) {
    for (size_t i = 0; i < route->variant_count; i++)
        if (route->variants[i].weight < 0 || report_refused(check->report, &route->variants[i]) ||
            report_refused(check->report, &route->variants[i].weight))
            return false;
    return true;
}

static void check_alike(struct check *check, const struct route_config *first,
                        const struct route_config *route) {
    size_t at = first_difference(first, route);
    if (at < first->variant_count || at < route->variant_count) {
        report_add(
            check->report,
            at < route->variant_count ? route->variants[at].place
                                      : place_of_field(check, &route->variants, route->place),
            arena_format(check->arena, "%s has %s", route_label(check, first), list_variants(check, first)),
            "%s must have the same variants in the same order as %s in line %u: both are of experiment "
            "`%s`",
            route_label(check, route), route_label(check, first), first->place.line, route->experiment);
        return;
    }
    for (size_t i = 0; weights_known(check, first) && weights_known(check, route) && i < at; i++) {
        const struct variant_config *variant = &route->variants[i];
        if (variant->weight == first->variants[i].weight)
            continue;
        report_add(check->report, place_of_field(check, &variant->weight, variant->place),
                   arena_format(check->arena, "write %s", percent_text(check, first->variants[i].weight)),
                   "variant `%.64s` has another weight than in %s in line %u: both are of experiment `%s`",
                   variant->name, route_label(check, first), first->place.line, route->experiment);
        return; // the others are off because of this one
    }
}

// One rollout moves the weights of all: two would each undo what the other does.
static const struct route_config *check_rollouts(struct check *check, const struct named *group,
                                                 size_t count) {
    const struct route_config *leader = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct route_config *route = &check->config->routes[group[i].index];
        if (route->rollout && leader)
            report_add(check->report, route->rollout->place, "keep one of them: its steps move both",
                       "%s has a rollout, and so has %s in line %u: both are of experiment `%s`",
                       route_label(check, route), route_label(check, leader), leader->place.line,
                       route->experiment);
        else if (route->rollout)
            leader = route;
    }
    return leader;
}

static void check_group(struct check *check, const struct named *group, size_t count) {
    struct route_config *routes = check->config->routes, *first = &routes[group[0].index];
    const struct route_config *leader = check_rollouts(check, group, count);
    for (size_t i = 1; i < count; i++)
        if (first->variant_count && routes[group[i].index].variant_count)
            check_alike(check, first, &routes[group[i].index]);
    for (size_t i = 0; leader && i < count; i++) // who is where on the line of buckets hangs on it
        routes[group[i].index].baseline = leader->baseline;
}

void check_experiments(struct check *check) {
    const struct config *config = check->config;
    struct named *names = mem_alloc((config->route_count + 1) * sizeof *names);
    size_t count = 0, end;
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].experiment && config->routes[i].name &&
            !report_refused(check->report, &config->routes[i]))
            names[count++] = (struct named){config->routes[i].experiment, config->routes[i].place, i};
    names_sort(names, count);
    for (size_t begin = 0; begin < count; begin = end) {
        for (end = begin + 1; end < count && strcmp(names[end].name, names[begin].name) == 0;)
            end++;
        check_group(check, names + begin, end - begin);
    }
    mem_free(names);
}

#include "rollout/design.h"

#include "rollout/cluster.h"

#include <math.h>

void design_measured(struct design *design, double effect, double requests) {
    if (requests < design->requests) { // begun anew
        design->before = fmax(design->before, design->effect);
        design->requests_before = fmax(design->requests_before, design->requests);
    }
    design->requests = requests;
    design->effect = requests < design->requests_before ? fmax(effect, design->before) : effect;
    if (requests >= design->requests_before)
        design->before = 1;
}

struct columns {
    double requests[EXPERIMENT_GROUPS], events[EXPERIMENT_GROUPS];
    double all_events;
};

static void read_columns(const struct experiment_group *groups, int kind, struct columns *columns) {
    columns->all_events = 0;
    for (size_t i = 0; i < EXPERIMENT_GROUPS; i++) {
        const struct experiment_group *group = &groups[i];
        columns->requests[i] = group->requests;
        if (kind == DESIGN_FAILED) {
            columns->events[i] = group->failed;
        } else if (kind < DESIGN_MEANS) {
            columns->events[i] = group->slow[kind - DESIGN_SLOW];
        } else {
            columns->requests[i] = group->values[kind - DESIGN_MEANS];
            columns->events[i] = group->sums[kind - DESIGN_MEANS];
        }
        columns->all_events += columns->events[i];
    }
}

static double effect_of(const struct columns *columns, double unit_variance) {
    return cluster_design_effect(columns->requests, columns->events, EXPERIMENT_GROUPS,
                                 isnan(unit_variance) ? -1 : unit_variance);
}

double design_of_arm(const struct experiment_group *groups, int kind, double unit_variance,
                     double *requests) {
    static struct columns columns; // large; one thread asks
    read_columns(groups, kind, &columns);
    struct cluster_ratio ratio = cluster_ratio(columns.requests, columns.events, EXPERIMENT_GROUPS);
    *requests = ratio.requests;
    if (ratio.groups < DESIGN_LEAST_GROUPS)
        return 1;
    return effect_of(&columns, unit_variance);
}

// Of the baseline alone while the candidate is small: a harmed candidate blows up its own variance, which
// would hide the harm (docs/statistics.md).
double design_of_pair(const struct experiment_group *baseline, const struct experiment_group *candidate,
                      int kind, double unit_variance, double share, double *requests) {
    static struct columns columns[2];
    read_columns(baseline, kind, &columns[0]);
    read_columns(candidate, kind, &columns[1]);
    struct cluster_ratio of_baseline =
        cluster_ratio(columns[0].requests, columns[0].events, EXPERIMENT_GROUPS);
    struct cluster_ratio of_candidate =
        cluster_ratio(columns[1].requests, columns[1].events, EXPERIMENT_GROUPS);
    double own = effect_of(&columns[0], unit_variance);
    *requests = of_baseline.requests;
    if (share < DESIGN_SMALL_SHARE || of_candidate.groups < DESIGN_LEAST_GROUPS)
        return own;
    if (kind >= DESIGN_MEANS)
        return fmax(own, effect_of(&columns[1], unit_variance));
    if (columns[1].all_events < DESIGN_LEAST_EVENTS)
        return own;
    return fmax(own, cluster_design_effect_of_both(&of_baseline, &of_candidate));
}

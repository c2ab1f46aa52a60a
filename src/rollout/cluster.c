#include "rollout/cluster.h"

#include <math.h>

#define MOST 9007199254740992.0 // 2^53, more than any count: all requests are of one unit

// Also where the variance of single values is so small that the quotient overflows: evidence is divided by it
// and the journal keeps it, so that it must be a number.
static double at_least_one(double effect) {
    return fmin(MOST, fmax(1, effect));
}

struct cluster_ratio cluster_ratio(const double *requests, const double *events, size_t groups) {
    struct cluster_ratio out = {.variance = INFINITY};
    double all_events = 0, squares = 0;
    for (size_t i = 0; i < groups; i++) {
        out.groups += requests[i] > 0;
        out.requests += requests[i];
        all_events += events[i];
    }
    out.ratio = out.requests > 0 ? all_events / out.requests : 0;
    if (out.groups < 2)
        return out;
    for (size_t i = 0; i < groups; i++) {
        double off = events[i] - out.ratio * requests[i];
        squares += requests[i] > 0 ? off * off : 0;
    }
    double m = (double)out.groups;
    out.variance = squares * m / (m - 1) / (out.requests * out.requests);
    return out;
}

double cluster_design_effect(const double *requests, const double *events, size_t groups,
                             double unit_variance) {
    struct cluster_ratio ratio = cluster_ratio(requests, events, groups);
    double unit = unit_variance < 0 ? ratio.ratio * (1 - ratio.ratio) : unit_variance;
    if (ratio.groups < 2 || unit <= 0)
        return 1;
    return at_least_one(ratio.variance / (unit / ratio.requests));
}

double cluster_design_effect_of_both(const struct cluster_ratio *baseline,
                                     const struct cluster_ratio *candidate) {
    double all = baseline->requests + candidate->requests;
    if (baseline->groups < 2 || candidate->groups < 2 || all <= 0)
        return 1;
    double p = (baseline->ratio * baseline->requests + candidate->ratio * candidate->requests) / all;
    double independent = p * (1 - p) * (1 / baseline->requests + 1 / candidate->requests);
    return independent > 0 ? at_least_one((baseline->variance + candidate->variance) / independent) : 1;
}

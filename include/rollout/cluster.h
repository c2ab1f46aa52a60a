// cluster: how much less requests of the same units say than independent ones would: the design effect, from
// counts by groups of units (metrics/experiment.h). Pure. Source: the ratio estimator with cluster-robust
// variance, W. Cochran, "Sampling Techniques", 1977, chapter 6.
#pragma once
#include <stddef.h>

struct cluster_ratio {
    double ratio, variance; // variance: +inf with fewer than two groups
    double requests;
    size_t groups; // that have requests
};
struct cluster_ratio cluster_ratio(const double *requests, const double *events, size_t groups);
// Variance over what independent requests would have, never below 1 nor above 2^53. `unit_variance` < 0:
// ratio * (1 - ratio).
double cluster_design_effect(const double *requests, const double *events, size_t groups,
                             double unit_variance);
// Of both arms together, the rates pooled.
double cluster_design_effect_of_both(const struct cluster_ratio *baseline,
                                     const struct cluster_ratio *candidate);

// interval: where the rate or the mean of one arm lies, valid at every look: the chance that the truth is
// ever outside is at most alpha. Pure. Sources: rates: mixture martingale with a Beta(1/2, 1/2) prior, D.
// Darling, H. Robbins, "Confidence sequences for mean, variance, and median", 1967, and T. Lai, "On
// confidence sequences", 1976. Means: asymptotic, normal mixture, as in rollout/mean.h.
#pragma once
#include "rollout/mean.h"

struct interval {
    double low, high; // NAN: unknown
};
// `events` of `count` outcomes; both may be fractions, as after a division by a design effect.
struct interval interval_share(double events, double count, double alpha);
// Unknown below two values.
struct interval interval_mean(const struct mean *mean, double design_effect, double alpha);

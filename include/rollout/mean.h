// mean: evidence about the difference of two means (cost, quality, tokens per second): an asymptotic e-value
// and a confidence sequence, valid at every look. Pure. Source: I. Waudby-Smith, D. Arbour, R. Sinha, E.
// Kennedy, A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", 2021; the
// larger variance goes to the smaller arm (docs/statistics.md: without it heavy tails deceive).
#pragma once
#include <stdbool.h>

// No value and no count is larger: whatever is made of such means is a number.
#define MEAN_MOST       1e100
#define MEAN_COUNT_MOST 9007199254740992.0 // 2^53

struct mean {                       // of one arm; plain data
    double count, mean, deviations; // deviations: sum of squared deviations from the mean
};
// None of them is beyond what values can add up to, nor count or deviations negative.
bool mean_holds(const struct mean *mean);
void mean_add(struct mean *mean, double value);
// `count` values by their sum and the sum of their squares.
void mean_merge(struct mean *mean, double count, double sum, double squares);

struct mean_difference {               // candidate - scale * baseline - shift
    double difference, variance, size; // size: the intrinsic sample size
};
// False while an arm has fewer than two values. The design effects are at least 1.
struct mean_margins {
    double scale, shift, deff_baseline, deff_candidate;
};
int mean_compare(const struct mean *baseline, const struct mean *candidate,
                 const struct mean_margins *margins, struct mean_difference *out);
// Tuning for a bound that is tightest near `best_size` (2,000) values.
double mean_tuning(double best_size, double alpha);
// log e against H0 "the difference is at most 0"; for "at least 0" negate the difference.
double mean_log_e(const struct mean_difference *difference, double tuning);
// How many times as many values as now it takes until log e reaches `needed`, if the difference stays what it
// is; 1: it does already; +inf: never.
double mean_times(const struct mean_difference *difference, double tuning, double needed);
// One-sided: the truth is above difference - margin, and below difference + margin, each but for alpha.
double mean_margin(const struct mean_difference *difference, double tuning, double alpha);

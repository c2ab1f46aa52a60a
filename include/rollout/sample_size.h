// sample_size: how many requests evidence needs. Pure. An upper figure: simulated 80 % quantiles are 60 to 90
// % of it (docs/statistics.md).
#pragma once
#include <stdbool.h>

struct sample_question {
    double baseline, candidate; // the true rates supposed
    double share;               // of the requests that the candidate gets, 0..1
    double rho, delta;          // the line
    double alpha;
    unsigned alternatives; // that the e-process mixes
    double power;          // 0.5, 0.8, 0.9 or 0.95
    bool restarts;
};
// Requests of both arms together; +inf when no evidence grows (the rates are on the line). The rates are
// beyond the line; on its other side evidence shrinks, and nothing is said about when.
double sample_size(const struct sample_question *question);
// Log evidence that one request of either arm brings on average.
double sample_growth(const struct sample_question *question);

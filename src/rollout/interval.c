#include "rollout/interval.h"

#include "sums.h"

#include <math.h>

#define PRIOR 0.5
#define BEST  2000 // values at which the interval of a mean is tightest

static double log_beta(double a, double b) {
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

struct outcomes {
    double events, others, mixture; // mixture: the logarithm of the likelihood under the prior
};

// Evidence against `rate`.
static double log_e(const struct outcomes *outcomes, double rate) {
    double events = outcomes->events > 0 ? outcomes->events * log(rate) : 0;
    double others = outcomes->others > 0 ? outcomes->others * log1p(-rate) : 0;
    return outcomes->mixture - events - others;
}

// Between a rate that is not refuted and one that is; log_e falls towards the estimate.
static double edge(const struct outcomes *outcomes, double inside, double outside, double needed) {
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (inside + outside);
        if (log_e(outcomes, middle) < needed)
            inside = middle;
        else
            outside = middle;
    }
    return outside;
}

struct interval interval_share(double events, double count, double alpha) {
    if (!(count > 0) || !(alpha > 0))
        return (struct interval){NAN, NAN};
    struct outcomes outcomes = {events, count - events, 0};
    outcomes.mixture = log_beta(events + PRIOR, count - events + PRIOR) - log_beta(PRIOR, PRIOR);
    double estimate = events / count, needed = log(1 / alpha);
    return (struct interval){
        .low = events > 0 ? edge(&outcomes, estimate, 0, needed) : 0,
        .high = events < count ? edge(&outcomes, estimate, 1, needed) : 1,
    };
}

struct interval interval_mean(const struct mean *mean, double design_effect, double alpha) {
    if (mean->count < 2 || !(alpha > 0))
        return (struct interval){NAN, NAN};
    double size = mean->count / design_effect, variance = mean->deviations / (mean->count - 1) / size;
    double u = mean_tuning(BEST, alpha / 2) * size;
    double half = sqrt(variance * (1 + u) / u * (log1p(u) + 2 * log(1 / alpha)));
    return (struct interval){mean->mean - half, mean->mean + half};
}

#include "rollout/sample_size.h"

#include "rollout/two_sample.h"

#include <math.h>

static double entropy(double p, double q) { // relative, of p from q
    double sum = p > 0 ? p * log(p / q) : 0;
    return p < 1 ? sum + (1 - p) * (log1p(-p) - log1p(-q)) : sum;
}

double sample_growth(const struct sample_question *question) {
    double share = question->share, b0, c0;
    two_sample_project(1 - share, share, question->baseline, question->candidate, question->rho,
                       question->delta, &b0, &c0);
    return (1 - share) * entropy(question->baseline, b0) + share * entropy(question->candidate, c0);
}

static double normal_quantile(double power) {
    return power >= 0.95 ? 1.6449 : power >= 0.9 ? 1.2816 : power >= 0.8 ? 0.8416 : 0;
}

double sample_size(const struct sample_question *question) {
    double z = normal_quantile(question->power);
    double needed =
        log(1 / question->alpha) + log(question->alternatives) + (question->restarts ? log(2) : 0);
    double drift = needed + z * z + z * sqrt(z * z + 2 * needed), growth = sample_growth(question);
    return growth > 0 ? drift / growth : INFINITY;
}

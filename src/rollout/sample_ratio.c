#include "rollout/sample_ratio.h"

#include <math.h>

// lgamma sets a global sign; the arguments here are positive and one thread asks, but the reentrant one costs
// nothing.
static double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

double sample_ratio_log_e(const uint64_t *units, const double *shares, size_t arms, double concentration) {
    double all = 0, log_e = 0;
    for (size_t i = 0; i < arms; i++) {
        if (shares[i] <= 0)
            continue;
        double n = (double)units[i], c = concentration * shares[i];
        all += n;
        log_e += log_gamma(c + n) - log_gamma(c) - n * log(shares[i]);
    }
    return log_e + log_gamma(concentration) - log_gamma(concentration + all);
}

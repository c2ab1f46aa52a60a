#include "rollout/sample_ratio.h"

#include "sums.h"

#include <math.h>

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

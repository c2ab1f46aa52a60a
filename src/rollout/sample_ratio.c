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

// Relative to the largest, so that nothing overflows.
double sample_ratio_pool(const double *log_e, size_t count) {
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, isnan(log_e[i]) ? 0 : log_e[i]);
    if (count == 0 || isinf(most))
        return count ? most : 0;
    for (size_t i = 0; i < count; i++)
        sum += exp((isnan(log_e[i]) ? 0 : log_e[i]) - most);
    return most + log(sum / (double)count);
}

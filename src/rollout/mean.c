#include "rollout/mean.h"

#include <math.h>

#define FAR 1e150 // standard deviations: what is further says no more, and its square is a number

bool mean_holds(const struct mean *mean) {
    return mean->count >= 0 && mean->count <= MEAN_COUNT_MOST && fabs(mean->mean) <= MEAN_MOST &&
           mean->deviations >= 0 && mean->deviations <= MEAN_MOST * MEAN_MOST;
}

void mean_add(struct mean *mean, double value) {
    double before = value - mean->mean;
    mean->count += 1;
    mean->mean += before / mean->count;
    mean->deviations += before * (value - mean->mean);
}

// Chan, Golub, LeVeque: two groups' deviations and what their means differ by.
void mean_merge(struct mean *mean, double count, double sum, double squares) {
    if (count <= 0)
        return;
    double other = sum / count, deviations = fmax(0, squares - sum * other);
    double all = mean->count + count, distance = other - mean->mean;
    mean->deviations += deviations + distance * distance * mean->count * count / all;
    mean->mean += distance * count / all;
    mean->count = all;
}

int mean_compare(const struct mean *baseline, const struct mean *candidate,
                 const struct mean_margins *margins, struct mean_difference *out) {
    if (baseline->count < 2 || candidate->count < 2)
        return 0;
    double scale = margins->scale;
    double vb = scale * scale * baseline->deviations / (baseline->count - 1);
    double vc = candidate->deviations / (candidate->count - 1), most = fmax(vb, vc);
    double eb = baseline->count / margins->deff_baseline, ec = candidate->count / margins->deff_candidate;
    out->variance = (candidate->count < baseline->count ? most : vc) / ec +
                    (baseline->count <= candidate->count ? most : vb) / eb;
    out->difference = candidate->mean - scale * baseline->mean - margins->shift;
    out->size = eb * ec / (eb + ec);
    return 1;
}

double mean_tuning(double best_size, double alpha) {
    double a = log(fmin(0.99, 2 * alpha));
    return (-2 * a + log(1 - 2 * a)) / best_size;
}

// x²/2 + log Phi(x). Far down erfc underflows, and the two are left out, for they are the same but for the
// sign: of large ones only the rounding would remain, and of squares that overflow a NaN, which is never as
// much as is needed.
static double log_tail(double x) {
    if (x > -36)
        return 0.5 * x * x + log(0.5 * erfc(-x / sqrt(2.0)));
    return -log(-x) - 0.5 * log(2 * 3.14159265358979323846);
}

double mean_log_e(const struct mean_difference *difference, double tuning) {
    if (!(difference->variance > 0) || !isfinite(difference->difference))
        return 0;
    double u = tuning * difference->size, g = u / (1 + u);
    double z = fmax(-FAR, fmin(FAR, difference->difference / sqrt(difference->variance)));
    return log(2.0) - 0.5 * log1p(u) + log_tail(z * sqrt(g));
}

static double log_e_after(const struct mean_difference *difference, double tuning, double times) {
    struct mean_difference then = {difference->difference, difference->variance / times,
                                   difference->size * times};
    return mean_log_e(&then, tuning);
}

double mean_times(const struct mean_difference *difference, double tuning, double needed) {
    if (mean_log_e(difference, tuning) >= needed)
        return 1;
    if (difference->difference <= 0 || difference->variance <= 0)
        return INFINITY;
    double low = 1, high = 2;
    while (log_e_after(difference, tuning, high) < needed) {
        if (high > 1e9)
            return INFINITY;
        low = high;
        high *= 2;
    }
    while (high - low > 1e-3 * low) {
        double middle = 0.5 * (low + high);
        if (log_e_after(difference, tuning, middle) < needed)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double mean_margin(const struct mean_difference *difference, double tuning, double alpha) {
    double u = tuning * difference->size;
    return sqrt(2 * difference->variance * (1 + u) / u * log1p(sqrt(1 + u) / (2 * alpha)));
}

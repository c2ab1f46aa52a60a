#include "rollout/mean.h"

#include <math.h>

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

double mean_log_e(const struct mean_difference *difference, double tuning) {
    if (difference->variance <= 0)
        return 0;
    double d = difference->difference, u = tuning * difference->size, g = u / (1 + u);
    double x = d / sqrt(difference->variance) * sqrt(g);
    double tail = x > -36 ? log(0.5 * erfc(-x / sqrt(2.0)))
                          : -0.5 * x * x - log(-x) - 0.5 * log(2 * 3.14159265358979323846); // erfc underflows
    return log(2.0) - 0.5 * log1p(u) + 0.5 * d * d / difference->variance * g + tail;
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
    for (; log_e_after(difference, tuning, high) < needed; high *= 2) {
        low = high;
        if (high > 1e9)
            return INFINITY;
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

#include "sums.h"

#include <math.h>

double log_add(double a, double b) {
    if (isinf(a) && a < 0)
        return b;
    if (isinf(b) && b < 0)
        return a;
    return fmax(a, b) + log1p(exp(-fabs(a - b)));
}

double log_sum(const double *terms, unsigned count) {
    double most = -INFINITY, sum = 0;
    for (unsigned i = 0; i < count; i++)
        most = fmax(most, terms[i]);
    if (isinf(most))
        return most;
    for (unsigned i = 0; i < count; i++)
        sum += exp(terms[i] - most);
    return most + log(sum);
}

// lgamma sets a global sign; the arguments here are positive.
double log_gamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

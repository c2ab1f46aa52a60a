// sample_ratio: whether units arrive at the arms in the configured proportion. Sequential: valid at every
// look. Source: M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", 2020. Pure.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SAMPLE_RATIO_ALPHA 0.01
#define SAMPLE_RATIO_CONCENTRATION \
    10000.0 // of the Dirichlet mixture: how near to the shares the alternatives are

// log e against "a unit belongs to arm i with probability shares[i]"; the shares sum to 1, arms with share 0
// are left out. Units must be independent: first-seen units, not requests.
double sample_ratio_log_e(const uint64_t *units, const double *shares, size_t arms, double concentration);
// The log e-value of several instances' together: the log of the mean of their e-values, which is an e-value
// however they hang together (one unit may be seen by many instances, so that their counts must not be
// added). NAN, of an instance that does not know: as if it had not begun to bet (e = 1). 0 of none.
double sample_ratio_pool(const double *log_e, size_t count);

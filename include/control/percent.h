// percent: shares as people write them (5, 2.5, 0.05 percent) and as the split counts them (basis points).
// Pure.
#pragma once
#include "base/strbuf.h"
#include <stdbool.h>
#include <stdint.h>

// Digits with at most two decimals, 0 to 100; false otherwise.
bool percent_parse(struct slice text, uint16_t *basis_points);
// The same from a number; false when it is out of range or finer than a basis point.
bool percent_of(double value, uint16_t *basis_points);
void percent_write(struct strbuf *out, uint16_t basis_points); // "5", "2.5", "0.05"

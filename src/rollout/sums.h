// sums: of numbers given by their logarithms. Pure.
#pragma once

double log_add(double a, double b);                  // log(e^a + e^b)
double log_sum(const double *terms, unsigned count); // of all; -inf when all are
double log_gamma(double x);                          // of x > 0; any thread

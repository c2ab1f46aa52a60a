// winner: of several variants, the one that is shown to be better than every other. Pure.
#pragma once

// log_e[i * count + j]: evidence that i is better than j. The winner's smallest must reach count/alpha, so
// that a false winner has at most the chance alpha (docs/statistics.md). -1: none.
int winner_of(const double *log_e, int count, double alpha);

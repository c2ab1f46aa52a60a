// evidence_series: a tally as samples of Prometheus and back. One sample for each figure that is not zero: a
// figure that is missing in a scrape is zero. The labels part, guard, arm and field say which one it is:
//   begun             arm: baseline, candidate                               requests that they began
//   all, soon  guard  arm: baseline, candidate  field: requests, events
//   values     guard  arm: baseline, candidate  field: count, sum, squares
//   contest           arm: its index            field: requests, events, count, sum, squares
//   series                                                                   how many of those there are
// The last tells whoever reads them that none was lost on the way. Pure.
#pragma once
#include "metrics/exposition.h"
#include "rollout/tally.h"

// Doubles have the digits that read back as the same number. `whose`: labels that stand before; at most
// EVIDENCE_WHOSE.
#define EVIDENCE_WHOSE 4
void evidence_series_write(const struct tally *tally, const struct label *whose, size_t whose_count,
                           struct exposition *out);

struct evidence_labels { // NULL: it is not there
    const char *part, *guard, *arm, *field;
};
// Puts a figure where it belongs; part "series" is none. False: there is no such figure, it cannot have that
// value, or it was put before.
bool evidence_series_put(struct tally *tally, const struct evidence_labels *labels, double value);

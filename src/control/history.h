// history: what one variant did in the last hour, a point for every slot of rates. Bounded: HISTORY_POINTS
// points of 44 bytes a variant that has had requests, HISTORY_MOST variants. Control thread.
#pragma once
#include "control/emit.h"
#include "metrics/variant.h"
#include "scores.h"

#define HISTORY_POINTS 720
#define HISTORY_MOST   1000

struct history_totals { // since the series began
    uint64_t errors;    // the variant's own: without `overloaded`
    uint64_t tokens;    // prompt and completion
    double dollars;
    double score_sum; // feedback of the metric `quality`
    uint64_t score_count;
};
void history_totals(const struct variant_series *series, const struct scores *scores,
                    struct history_totals *totals);

struct history_point { // of one slot
    uint32_t at;       // its end, seconds since 1970
    float per_second, errors_per_second, tokens_per_second, dollars_per_second;
    // Milliseconds; NAN: there was no request, or none with a first token.
    float duration_p50, duration_p95, duration_p99, first_token_p50, first_token_p95;
    float quality; // mean; NAN: there was no score
};
// The part of a point that is the growth of totals, over `seconds`.
void history_grown(const struct history_totals *before, const struct history_totals *now, double seconds,
                   struct history_point *point);

struct history {
    unsigned next, count; // where the next point goes; how many there are
    struct history_point points[HISTORY_POINTS];
};
void history_add(struct history *history, const struct history_point *point);
const struct history_point *history_get(const struct history *history, unsigned age); // 0: the newest

// Members `at` and `variants` of an object that is open: columns of equal length, oldest first, of the points
// later than `since`. `histories` are those of the route's variants; NULL: it has none.
void history_emit(const struct history *const *histories, const char *const *names, size_t count,
                  uint32_t since, struct emit *emit);

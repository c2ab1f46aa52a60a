// rates: what each variant did in about the last minute, for status, and its history of the last hour. Every
// few seconds the growth of each series is kept as a short list of the histogram buckets that grew; a series
// without new requests costs one comparison and keeps nothing. Control thread.
#pragma once
#include "history.h"
#include "proxy/plan.h"

#define RATES_SLOTS        12
#define RATES_SLOT_SECONDS 5

struct rates;
struct rates *rates_new(const struct scores *scores); // which outlive it
void rates_free(struct rates *rates);
// The series of this plan are followed from now on, those of the plan before no longer.
void rates_adopt(struct rates *rates, const struct plan *plan, uint64_t now_ns);
// Every RATES_SLOT_SECONDS.
void rates_tick(struct rates *rates, uint64_t now_ns, uint64_t wall_ms);

struct rates_view { // milliseconds; all 0 when there was no request
    double per_second;
    double duration_p50, duration_p95, duration_p99;
    double first_token_p50, first_token_p95, first_token_p99;
};
// NULL: it has had no request, or too many others have one.
const struct history *rates_history(const struct rates *rates, const struct variant_series *series);
// Includes what came since the last tick.
void rates_read(const struct rates *rates, const struct variant_series *series, uint64_t now_ns,
                struct rates_view *view);

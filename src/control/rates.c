#include "rates.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

struct growth { // of one bucket
    uint16_t bucket;
    uint32_t count;
};
struct slot { // RATES_SLOT_SECONDS of one series
    uint64_t requests;
    struct growth *growths; // duration's first, then first_token's
    uint32_t duration_count, first_token_count;
};
struct rate {                      // of one series
    struct variant_series *series; // with a reference
    uint64_t since_ns;             // when it was followed first
    uint64_t requests;             // at the last tick
    struct histogram *last;        // [2], at the last tick; NULL until it has had a request
    struct slot slots[RATES_SLOTS];
    struct history_totals totals; // at the last tick
    struct history *history;      // NULL until it has had a request
};
struct rates {
    struct rate **items; // sorted by series
    size_t count;
    unsigned at;                 // the slot that the next tick writes
    uint64_t ticks[RATES_SLOTS]; // when each slot began; 0: never
    uint64_t last_tick_ns;
    unsigned histories;
    const struct scores *scores;
};

static int by_series(const void *left, const void *right) {
    uintptr_t a = (uintptr_t)(*(struct rate *const *)left)->series;
    uintptr_t b = (uintptr_t)(*(struct rate *const *)right)->series;
    return (a > b) - (a < b);
}

static struct rate *find(const struct rates *rates, const struct variant_series *series) {
    if (rates->count == 0)
        return NULL;
    struct rate key = {.series = (struct variant_series *)series}, *wanted = &key;
    struct rate **found = bsearch(&wanted, rates->items, rates->count, sizeof *rates->items, by_series);
    return found ? *found : NULL;
}

static uint64_t count_requests(const struct variant_series *series) {
    uint64_t total = 0;
    for (unsigned i = 0; i < series->lane_count; i++)
        for (int code = 0; code < CODE_CLASSES; code++)
            total += counter_read(&series->lanes[i]->requests[code]);
    return total;
}

static void read_histograms(const struct variant_series *series, struct histogram both[2]) {
    memset(both, 0, 2 * sizeof *both);
    for (unsigned i = 0; i < series->lane_count; i++) {
        histogram_merge(&both[0], &series->lanes[i]->duration.fine);
        histogram_merge(&both[1], &series->lanes[i]->first_token.fine);
    }
}

static void slot_clear(struct slot *slot) {
    mem_free(slot->growths);
    *slot = (struct slot){0};
}

static uint32_t list_growth(struct growth *growths, const struct histogram *now,
                            const struct histogram *last) {
    uint32_t count = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t more = now->count[i] - last->count[i];
        if (more)
            growths[count++] = (struct growth){(uint16_t)i, more < UINT32_MAX ? (uint32_t)more : UINT32_MAX};
    }
    return count;
}

static void slot_fill(struct slot *slot, struct rate *rate, uint64_t requests) {
    struct histogram now[2];
    struct growth growths[2 * HISTOGRAM_BUCKETS];
    if (!rate->last)
        rate->last = mem_zero(2, sizeof *rate->last);
    read_histograms(rate->series, now);
    slot->requests = requests - rate->requests;
    slot->duration_count = list_growth(growths, &now[0], &rate->last[0]);
    slot->first_token_count = list_growth(growths + slot->duration_count, &now[1], &rate->last[1]);
    size_t bytes = (slot->duration_count + slot->first_token_count) * sizeof *growths;
    slot->growths = mem_alloc(bytes + 1);
    memcpy(slot->growths, growths, bytes);
    memcpy(rate->last, now, sizeof now);
    rate->requests = requests;
}

static void add_slot(const struct slot *slot, struct histogram both[2]) {
    const struct growth *growth = slot->growths;
    for (uint32_t i = 0; i < slot->duration_count; i++, growth++)
        both[0].count[growth->bucket] += growth->count;
    for (uint32_t i = 0; i < slot->first_token_count; i++, growth++)
        both[1].count[growth->bucket] += growth->count;
}

static double quantile_ms(const struct histogram *histogram, double share) {
    return histogram_quantile(histogram, share) / 1000;
}

static void point_latencies(const struct slot *slot, struct history_point *point) {
    struct histogram both[2];
    point->duration_p50 = point->duration_p95 = point->duration_p99 = NAN;
    point->first_token_p50 = point->first_token_p95 = NAN;
    if (slot->requests == 0)
        return;
    memset(both, 0, sizeof both);
    add_slot(slot, both);
    if (slot->duration_count) {
        point->duration_p50 = (float)quantile_ms(&both[0], 0.50);
        point->duration_p95 = (float)quantile_ms(&both[0], 0.95);
        point->duration_p99 = (float)quantile_ms(&both[0], 0.99);
    }
    if (slot->first_token_count) {
        point->first_token_p50 = (float)quantile_ms(&both[1], 0.50);
        point->first_token_p95 = (float)quantile_ms(&both[1], 0.95);
    }
}

static void remember(struct rates *rates, struct rate *rate, const struct slot *slot, double seconds,
                     uint32_t at) {
    if (!rate->history && slot->requests && rates->histories < HISTORY_MOST) {
        rate->history = mem_zero(1, sizeof *rate->history);
        rates->histories++;
    }
    if (!rate->history)
        return;
    struct history_totals now;
    struct history_point point = {.at = at, .per_second = (float)((double)slot->requests / seconds)};
    history_totals(rate->series, rates->scores, &now);
    history_grown(&rate->totals, &now, seconds, &point);
    point_latencies(slot, &point);
    history_add(rate->history, &point);
    rate->totals = now;
}

const struct history *rates_history(const struct rates *rates, const struct variant_series *series) {
    const struct rate *rate = find(rates, series);
    return rate ? rate->history : NULL;
}

void rates_tick(struct rates *rates, uint64_t now_ns, uint64_t wall_ms) {
    double seconds = (double)(now_ns - rates->last_tick_ns) / (double)NS_PER_S;
    if (seconds <= 0)
        seconds = RATES_SLOT_SECONDS;
    for (size_t i = 0; i < rates->count; i++) {
        struct rate *rate = rates->items[i];
        struct slot *slot = &rate->slots[rates->at];
        slot_clear(slot);
        uint64_t requests = count_requests(rate->series);
        if (requests != rate->requests)
            slot_fill(slot, rate, requests);
        remember(rates, rate, slot, seconds, (uint32_t)(wall_ms / 1000));
    }
    rates->ticks[rates->at] = rates->last_tick_ns;
    rates->last_tick_ns = now_ns;
    rates->at = (rates->at + 1) % RATES_SLOTS;
}

static struct rate *rate_new(const struct rates *rates, struct variant_series *series, uint64_t now_ns) {
    struct rate *rate = mem_zero(1, sizeof *rate);
    refcount_take(&series->refs);
    rate->series = series;
    rate->since_ns = now_ns;
    rate->requests = count_requests(series);
    history_totals(series, rates->scores, &rate->totals);
    if (rate->requests) { // came back before its counters were swept
        rate->last = mem_zero(2, sizeof *rate->last);
        read_histograms(series, rate->last);
    }
    return rate;
}

static void rate_free(struct rates *rates, struct rate *rate) {
    rates->histories -= rate->history != NULL;
    mem_free(rate->history);
    for (unsigned i = 0; i < RATES_SLOTS; i++)
        slot_clear(&rate->slots[i]);
    mem_free(rate->last);
    variant_unref(rate->series);
    mem_free(rate);
}

struct rates *rates_new(const struct scores *scores) {
    struct rates *rates = mem_zero(1, sizeof *rates);
    rates->scores = scores;
    return rates;
}

void rates_free(struct rates *rates) {
    if (!rates)
        return;
    for (size_t i = 0; i < rates->count; i++)
        rate_free(rates, rates->items[i]);
    mem_free(rates->items);
    mem_free(rates);
}

void rates_adopt(struct rates *rates, const struct plan *plan, uint64_t now_ns) {
    size_t wanted = 0, count = 0;
    const struct config *config = plan->config;
    for (size_t i = 0; i < config->route_count; i++)
        wanted += config->routes[i].variant_count;
    struct rate **items = mem_zero(wanted + 1, sizeof *items);
    for (size_t i = 0; i < config->route_count; i++) {
        for (size_t k = 0; k < config->routes[i].variant_count; k++) {
            struct variant_series *series = plan->routes[i].variants[k].series;
            struct rate *known = find(rates, series);
            items[count++] = known ? known : rate_new(rates, series, now_ns);
        }
    }
    qsort(items, count, sizeof *items, by_series);
    for (size_t i = 0; i < rates->count; i++)
        if (!bsearch(&rates->items[i], items, count, sizeof *items, by_series))
            rate_free(rates, rates->items[i]);
    mem_free(rates->items);
    rates->items = items;
    rates->count = count;
    if (rates->last_tick_ns == 0)
        rates->last_tick_ns = now_ns;
}

static void add_unticked(const struct rate *rate, struct histogram both[2]) {
    struct histogram now[2];
    read_histograms(rate->series, now);
    for (int which = 0; which < 2; which++)
        for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
            both[which].count[i] += now[which].count[i] - (rate->last ? rate->last[which].count[i] : 0);
}

void rates_read(const struct rates *rates, const struct variant_series *series, uint64_t now_ns,
                struct rates_view *view) {
    *view = (struct rates_view){0};
    const struct rate *rate = find(rates, series);
    if (!rate)
        return;
    uint64_t requests = count_requests(series) - rate->requests, since = rates->last_tick_ns;
    bool unticked = requests > 0;
    struct histogram both[2];
    memset(both, 0, sizeof both);
    for (unsigned i = 0; i < RATES_SLOTS; i++) {
        if (rates->ticks[i] && rates->ticks[i] < since)
            since = rates->ticks[i];
        requests += rate->slots[i].requests;
        add_slot(&rate->slots[i], both);
    }
    if (requests == 0)
        return;
    if (unticked)
        add_unticked(rate, both);
    if (since < rate->since_ns)
        since = rate->since_ns;
    double seconds = (double)(now_ns - since) / (double)NS_PER_S;
    view->per_second = (double)requests / (seconds > 1 ? seconds : 1);
    view->duration_p50 = quantile_ms(&both[0], 0.50);
    view->duration_p95 = quantile_ms(&both[0], 0.95);
    view->duration_p99 = quantile_ms(&both[0], 0.99);
    view->first_token_p50 = quantile_ms(&both[1], 0.50);
    view->first_token_p95 = quantile_ms(&both[1], 0.95);
    view->first_token_p99 = quantile_ms(&both[1], 0.99);
}

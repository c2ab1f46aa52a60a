// A pool_view: the picture of a pool that a plan carries.
#include "ring.h"
#include "upstream/pool.h"

// A round-robin schedule is at most this long; finer weight ratios are rounded.
#define SCHEDULE_MOST 4096

static bool equal_weights(struct endpoint *const *endpoints, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (endpoints[i]->weight != endpoints[0]->weight)
            return false;
    return true;
}

static uint64_t total_weight(struct endpoint *const *endpoints, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += endpoints[i]->weight;
    return total;
}

// Interleaves by turns: at each place the endpoint that is furthest behind its share comes next, so that
// weights 3 and 1 give a a b a and not a a a b.
static void build_schedule(struct pool_view *view) {
    uint64_t total = total_weight(view->ready, view->ready_count);
    size_t length = total > SCHEDULE_MOST ? SCHEDULE_MOST : (size_t)total;
    if (length < view->ready_count)
        length = view->ready_count;
    view->schedule = mem_alloc(length * sizeof *view->schedule);
    view->schedule_count = length;
    int64_t *credit = mem_zero(view->ready_count, sizeof *credit);
    for (size_t place = 0; place < length; place++) {
        size_t best = 0;
        for (size_t i = 0; i < view->ready_count; i++) {
            credit[i] += view->ready[i]->weight;
            if (credit[i] > credit[best])
                best = i;
        }
        credit[best] -= (int64_t)total;
        view->schedule[place] = (uint32_t)best;
    }
    mem_free(credit);
}

static void build_cumulative(struct pool_view *view) {
    view->cumulative = mem_alloc(view->ready_count * sizeof *view->cumulative);
    uint32_t sum = 0;
    for (size_t i = 0; i < view->ready_count; i++)
        view->cumulative[i] = sum += view->ready[i]->weight;
}

struct pool_view *pool_view_new(struct pool *pool, struct endpoint **endpoints, size_t count,
                                const struct pool_config *config) {
    struct pool_view *view = mem_zero(1, sizeof *view);
    refcount_init(&view->refs);
    view->pool = pool_ref(pool);
    view->config = config;
    view->endpoints = mem_alloc(count * sizeof *view->endpoints);
    view->ready = mem_alloc(count * sizeof *view->ready);
    view->endpoint_count = count;
    for (size_t i = 0; i < count; i++) {
        view->endpoints[i] = endpoint_ref(endpoints[i]);
        if (endpoint_ready(endpoints[i]))
            view->ready[view->ready_count++] = endpoints[i];
    }
    bool weighted = !equal_weights(view->ready, view->ready_count);
    if (config->balance == BALANCE_UNIT_HASH)
        view->ring = ring_new(view->endpoints, count);
    else if (weighted && config->balance == BALANCE_ROUND_ROBIN)
        build_schedule(view);
    else if (weighted)
        build_cumulative(view);
    return view;
}

struct pool_view *pool_view_ref(struct pool_view *view) {
    refcount_take(&view->refs);
    return view;
}

void pool_view_unref(struct pool_view *view) {
    if (!view || !refcount_drop(&view->refs))
        return;
    for (size_t i = 0; i < view->endpoint_count; i++)
        endpoint_unref(view->endpoints[i]);
    mem_free(view->endpoints);
    mem_free(view->ready);
    mem_free(view->schedule);
    mem_free(view->cumulative);
    if (view->ring)
        ring_free(view->ring);
    pool_unref(view->pool);
    mem_free(view);
}

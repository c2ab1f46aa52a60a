// pool_choose: which ready endpoint takes a request. Constant cost in the number of endpoints while any has
// room; only when the first choices are full are all looked at once.
#include "ring.h"
#include "upstream/back_off.h"
#include "upstream/pool.h"

struct attempt {
    const struct pool_view *view;
    const struct endpoint *avoid;
    unsigned most;
    bool spare;            // those that asked for time are passed over …
    bool spared;           // … and one was
    struct endpoint *full; // an endpoint that had no room
};

static bool enter(struct attempt *attempt, struct endpoint *endpoint) {
    if (endpoint == attempt->avoid)
        return false;
    if (attempt->spare && back_off_holds(endpoint)) {
        attempt->spared = true;
        return false;
    }
    if (endpoint_enter(endpoint, attempt->most))
        return true;
    attempt->full = endpoint;
    return false;
}

static size_t at_weight(const struct pool_view *view, uint32_t target) {
    size_t low = 0, high = view->ready_count - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (view->cumulative[middle] <= target)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t pick_weighted(const struct pool_view *view, struct random_state *random) {
    if (!view->cumulative)
        return (size_t)random_below(random, view->ready_count);
    return at_weight(view, (uint32_t)random_below(random, view->cumulative[view->ready_count - 1]));
}

// Another one than `first`, by weight among the rest: of two endpoints always both are compared.
static size_t pick_other(const struct pool_view *view, struct random_state *random, size_t first) {
    if (!view->cumulative) {
        size_t other = (size_t)random_below(random, view->ready_count - 1);
        return other + (other >= first);
    }
    uint32_t before = first ? view->cumulative[first - 1] : 0;
    uint32_t own = view->cumulative[first] - before;
    uint32_t target = (uint32_t)random_below(random, view->cumulative[view->ready_count - 1] - own);
    return at_weight(view, target < before ? target : target + own);
}

// Load relative to weight, compared without division.
static bool busier(const struct endpoint *a, const struct endpoint *b) {
    uint64_t busy_a = atomic_load_explicit(&a->inflight, memory_order_relaxed);
    uint64_t busy_b = atomic_load_explicit(&b->inflight, memory_order_relaxed);
    return busy_a * b->weight > busy_b * a->weight;
}

// The better of two different random ones. (Mitzenmacher, The Power of Two Choices in Randomized Load
// Balancing, 2001.)
static struct endpoint *try_two_choices(struct attempt *attempt, struct random_state *random) {
    const struct pool_view *view = attempt->view;
    size_t one = pick_weighted(view, random);
    struct endpoint *first = view->ready[one];
    struct endpoint *second = view->ready[pick_other(view, random, one)];
    __builtin_prefetch(&first->inflight, 1);
    __builtin_prefetch(&second->inflight, 1);
    if (busier(first, second)) {
        struct endpoint *swap = first;
        first = second;
        second = swap;
    }
    if (enter(attempt, first))
        return first;
    return enter(attempt, second) ? second : NULL;
}

static struct endpoint *take_turn(struct attempt *attempt, unsigned lane) {
    const struct pool_view *view = attempt->view;
    uint64_t turn = view->pool->lanes[lane].cursor++;
    size_t at =
        view->schedule ? view->schedule[turn % view->schedule_count] : (size_t)(turn % view->ready_count);
    return enter(attempt, view->ready[at]) ? view->ready[at] : NULL;
}

// The turn of one that is spared goes to the next in order, so that the others share it evenly.
static struct endpoint *try_round_robin(struct attempt *attempt, unsigned lane) {
    struct endpoint *endpoint = take_turn(attempt, lane);
    for (size_t i = 1; !endpoint && attempt->spared && i < attempt->view->ready_count; i++)
        endpoint = take_turn(attempt, lane);
    return endpoint;
}

static bool ring_usable(size_t index, void *context) {
    struct attempt *attempt = context;
    struct endpoint *endpoint = attempt->view->endpoints[index];
    return endpoint_ready(endpoint) && enter(attempt, endpoint);
}

static struct endpoint *try_everyone(struct attempt *attempt, struct random_state *random) {
    const struct pool_view *view = attempt->view;
    size_t offset = (size_t)random_below(random, view->ready_count);
    for (size_t i = 0; i < view->ready_count; i++) {
        struct endpoint *endpoint = view->ready[(offset + i) % view->ready_count];
        if (enter(attempt, endpoint))
            return endpoint;
    }
    return NULL;
}

static struct endpoint *choose(struct attempt *attempt, unsigned lane, struct random_state *random,
                               uint64_t unit_hash) {
    const struct pool_view *view = attempt->view;
    if (view->ready_count == 1)
        return enter(attempt, view->ready[0]) ? view->ready[0] : NULL;
    if (view->ring) {
        size_t index = ring_find(view->ring, unit_hash, ring_usable, attempt);
        return index < view->endpoint_count ? view->endpoints[index] : NULL;
    }
    struct endpoint *endpoint = view->config->balance == BALANCE_ROUND_ROBIN
                                    ? try_round_robin(attempt, lane)
                                    : try_two_choices(attempt, random);
    return endpoint ? endpoint : try_everyone(attempt, random);
}

enum choice pool_choose(const struct pool_view *view, unsigned lane, struct random_state *random,
                        uint64_t unit_hash, const struct endpoint *avoid, struct endpoint **chosen) {
    if (view->ready_count == 0)
        return CHOICE_NONE;
    struct attempt attempt = {.view = view, .avoid = avoid, .most = (unsigned)view->config->max_inflight};
    attempt.spare = view->ready_count > 1 && view->config->back_off > 0;
    struct endpoint *endpoint = choose(&attempt, lane, random, unit_hash);
    if (!endpoint && attempt.spared) { // nobody else has room: asked for time or not, they are all there is
        attempt.spare = attempt.spared = false;
        endpoint = choose(&attempt, lane, random, unit_hash);
    }
    if (!endpoint && avoid) { // the one that failed before is better than nobody
        attempt.avoid = NULL;
        endpoint = try_everyone(&attempt, random);
    }
    *chosen = endpoint;
    return endpoint ? CHOICE_MADE : CHOICE_FULL;
}

#include "upstream/back_off.h"
#include "base/clock.h"

#define DOUBLINGS_MOST 20 // more would be longer than any limit

static int64_t usual_ms(const struct endpoint *endpoint) {
    unsigned refusals = atomic_load_explicit(&endpoint->refusals, memory_order_relaxed);
    return INT64_C(1) * BACK_OFF_FIRST_MS << (refusals < DOUBLINGS_MOST ? refusals : DOUBLINGS_MOST);
}

int64_t back_off_begin(struct endpoint *endpoint, int64_t asked_ms, int64_t most_ms, uint64_t now_ns) {
    uint64_t until_ns = atomic_load_explicit(&endpoint->spared_until_ns, memory_order_relaxed);
    for (;;) {
        bool spared = now_ns < until_ns;
        if (spared && asked_ms < 0) // it has said so already
            return 0;
        int64_t ms = asked_ms >= 0 ? asked_ms : usual_ms(endpoint);
        ms = ms < most_ms ? ms : most_ms;
        uint64_t wanted_ns = now_ns + (uint64_t)ms * NS_PER_MS;
        if (ms <= 0 || wanted_ns <= until_ns)
            return 0;
        if (!atomic_compare_exchange_weak_explicit(&endpoint->spared_until_ns, &until_ns, wanted_ns,
                                                   memory_order_relaxed, memory_order_relaxed))
            continue;
        if (spared)
            return 0;
        atomic_fetch_add_explicit(&endpoint->refusals, 1, memory_order_relaxed);
        return ms;
    }
}

int64_t back_off_left(const struct endpoint *endpoint, uint64_t now_ns) {
    uint64_t until_ns = atomic_load_explicit(&endpoint->spared_until_ns, memory_order_relaxed);
    return until_ns <= now_ns ? 0 : (int64_t)((until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

bool back_off_looked_at(struct endpoint *endpoint, uint64_t until_ns) {
    if (clock_monotonic_ns() < until_ns)
        return true;
    // The next one need not look at the clock.
    atomic_compare_exchange_strong_explicit(&endpoint->spared_until_ns, &until_ns, 0, memory_order_relaxed,
                                            memory_order_relaxed);
    return false;
}

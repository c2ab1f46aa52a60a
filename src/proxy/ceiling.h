// ceiling: what all workers hold together, against `limits.requests` and `limits.memory`, and whether there
// is room for another request. What is counted of memory: buffers (whole blocks), bodies that are kept for a
// retry, an edit or a decision, and copies; not what the kernel, OpenSSL and the configuration take. Each
// worker tells the sum in steps of CEILING_GRAIN, so that the request path shares no line that changes with
// every request: the sum is wrong by at most a step for each worker. Owner: the data plane; any worker's
// thread.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CEILING_GRAIN ((size_t)256 << 10)

struct ceiling {
    _Alignas(64) atomic_size_t held; // bytes, as told
};
struct ceiling_share { // of one worker; its thread only
    struct ceiling *ceiling;
    size_t told;
};

// The worker holds `held` bytes now. Cheap when that is about what it told last.
static inline void ceiling_tell(struct ceiling_share *share, size_t held) {
    if (held - share->told + CEILING_GRAIN <= 2 * CEILING_GRAIN)
        return;
    atomic_fetch_add_explicit(&share->ceiling->held, held - share->told, memory_order_relaxed);
    share->told = held;
}
// Whether all of them together hold more than `limit`, when this one holds `held`.
static inline bool ceiling_reached(const struct ceiling_share *share, size_t held, int64_t limit) {
    size_t all = atomic_load_explicit(&share->ceiling->held, memory_order_relaxed) + held - share->told;
    return all > (size_t)limit && all <= SIZE_MAX / 2; // others' steps may be on their way: never below none
}

// counter: a cumulative 64-bit count with one writing thread and any number of readers, without locks.
// The writer adds with a relaxed load and store (never a locked instruction); readers load relaxed.
#pragma once
#include <stdint.h>

static inline void counter_add(uint64_t *counter, uint64_t n) {
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}
static inline uint64_t counter_read(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

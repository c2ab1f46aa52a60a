// refcount: the count of a shared object, embedded in it. Any thread. The last to drop frees.
#pragma once
#include "base/mem.h"
#include <stdatomic.h>
#include <stdbool.h>

struct refcount {
    atomic_uint count;
};
static inline void refcount_init(struct refcount *refs) { // with the creator's reference
    atomic_init(&refs->count, 1);
}
static inline void refcount_take(struct refcount *refs) {
    must(atomic_fetch_add_explicit(&refs->count, 1, memory_order_relaxed) > 0);
}
// True for the caller that dropped the last reference, which then frees the object.
static inline bool refcount_drop(struct refcount *refs) {
    return atomic_fetch_sub_explicit(&refs->count, 1, memory_order_acq_rel) == 1;
}

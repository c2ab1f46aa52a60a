// turn: one moment at which all workers at once begin to decide by other weights. A plan carries the weights
// of before and after and the turn; once every worker has the plan, the control thread turns it: from then on
// no decision falls by the old weights, on any worker. Shared by plans; immutable but for `done`.
#pragma once
#include "base/refcount.h"

struct turn {
    struct refcount refs;
    atomic_bool done;
};
static inline struct turn *turn_new(void) {
    struct turn *turn = mem_zero(1, sizeof *turn);
    refcount_init(&turn->refs);
    atomic_init(&turn->done, false);
    return turn;
}
static inline struct turn *turn_ref(struct turn *turn) { // NULL stays NULL
    if (turn)
        refcount_take(&turn->refs);
    return turn;
}
static inline void turn_unref(struct turn *turn) { // NULL is allowed
    if (turn && refcount_drop(&turn->refs))
        mem_free(turn);
}
static inline bool turn_done(const struct turn *turn) {
    return turn && atomic_load_explicit(&turn->done, memory_order_acquire);
}

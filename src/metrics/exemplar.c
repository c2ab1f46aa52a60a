#include "metrics/exemplar.h"
#include "base/clock.h"
#include "base/mem.h"
#include <string.h>

#define ID_WORDS 6 // of 8 digits each: what one exemplar holds of ids

// `turn` is odd while the writer is at it, and a reader who finds another one afterwards takes nothing. All
// accesses are sequentially consistent: there is one for each recorded request, not more.
struct slot {
    _Atomic uint64_t turn; // 0: never written
    _Atomic uint64_t ids[ID_WORDS], us, wall_ms;
};
struct exemplars {
    struct slot slots[EXEMPLAR_HISTOGRAMS][LATENCY_BOUNDS + 1];
};
_Static_assert(TRACE_DIGITS_KEPT + SPAN_DIGITS_KEPT == 8 * ID_WORDS, "ids fill the words");

struct exemplars *exemplars_new(void) {
    return mem_zero(1, sizeof(struct exemplars));
}

void exemplars_set(struct exemplars *exemplars, enum exemplar_histogram histogram, const char *trace,
                   const char *span, uint64_t us) {
    struct slot *slot = &exemplars->slots[histogram][latency_bucket(us)];
    uint64_t turn = atomic_load(&slot->turn), words[ID_WORDS];
    memcpy(words, trace, TRACE_DIGITS_KEPT);
    memcpy((char *)words + TRACE_DIGITS_KEPT, span, SPAN_DIGITS_KEPT);
    atomic_store(&slot->turn, turn + 1);
    for (int i = 0; i < ID_WORDS; i++)
        atomic_store(&slot->ids[i], words[i]);
    atomic_store(&slot->us, us);
    atomic_store(&slot->wall_ms, clock_wall_ms());
    atomic_store(&slot->turn, turn + 2);
}

bool exemplars_read(const struct exemplars *exemplars, enum exemplar_histogram histogram, unsigned bucket,
                    struct exemplar *exemplar) {
    const struct slot *slot = &exemplars->slots[histogram][bucket];
    uint64_t turn = atomic_load(&slot->turn), words[ID_WORDS];
    if (turn == 0 || turn % 2)
        return false;
    for (int i = 0; i < ID_WORDS; i++)
        words[i] = atomic_load(&slot->ids[i]);
    memcpy(exemplar->trace, words, TRACE_DIGITS_KEPT);
    memcpy(exemplar->span, (char *)words + TRACE_DIGITS_KEPT, SPAN_DIGITS_KEPT);
    exemplar->us = atomic_load(&slot->us);
    exemplar->wall_ms = atomic_load(&slot->wall_ms);
    return atomic_load(&slot->turn) == turn;
}

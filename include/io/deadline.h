// deadline: time-outs without a heap. All deadlines of one duration stand in one list, in order of expiry by
// construction, and one timer sweeps the fronts. Setting and clearing are a few pointer writes. One set per
// worker; its thread only.
#pragma once
#include "base/list.h"
#include <event2/event.h>
#include <stdint.h>

struct deadline { // embedded; zeroed means not set
    struct link link;
    uint64_t at_ns;                             // monotonic
    void (*expired)(struct deadline *deadline); // called when it has passed; it is no longer set then
};

struct deadline_list {
    int64_t duration_ms;
    struct link waiting; // oldest first
};
struct deadlines {
    struct deadline_list **lists; // one per duration in use
    unsigned count, cap;
    struct event *timer;
};

void deadlines_init(struct deadlines *deadlines, struct event_base *base);
void deadlines_free(struct deadlines *deadlines); // none is set any more
// (Re)sets; a negative duration clears. `now_ns` is the caller's current time.
void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t duration_ms,
                  uint64_t now_ns, void (*expired)(struct deadline *deadline));
static inline void deadline_clear(struct deadline *deadline) {
    list_remove(&deadline->link);
}
static inline bool deadline_is_set(const struct deadline *deadline) {
    return list_linked(&deadline->link);
}
void deadlines_sweep(struct deadlines *deadlines, uint64_t now_ns); // what the timer calls

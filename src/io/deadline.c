#include "io/deadline.h"
#include "base/clock.h"
#include "base/mem.h"

// How late a time-out may be noticed.
#define SWEEP_MS 20

static void sweep_event(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    deadlines_sweep(context, clock_monotonic_ns());
}

void deadlines_init(struct deadlines *deadlines, struct event_base *base) {
    *deadlines = (struct deadlines){0};
    deadlines->timer = event_new(base, -1, EV_PERSIST, sweep_event, deadlines);
    must(deadlines->timer);
    struct timeval period = {.tv_usec = SWEEP_MS * 1000};
    must(event_add(deadlines->timer, &period) == 0);
}

void deadlines_free(struct deadlines *deadlines) {
    for (unsigned i = 0; i < deadlines->count; i++) {
        must(list_empty(&deadlines->lists[i]->waiting));
        mem_free(deadlines->lists[i]);
    }
    mem_free(deadlines->lists);
    if (deadlines->timer)
        event_free(deadlines->timer);
    *deadlines = (struct deadlines){0};
}

static struct deadline_list *list_for(struct deadlines *deadlines, int64_t duration_ms) {
    for (unsigned i = 0; i < deadlines->count; i++)
        if (deadlines->lists[i]->duration_ms == duration_ms)
            return deadlines->lists[i];
    if (deadlines->count == deadlines->cap) {
        deadlines->cap = deadlines->cap ? deadlines->cap * 2 : 8;
        deadlines->lists = mem_resize(deadlines->lists, deadlines->cap * sizeof *deadlines->lists);
    }
    struct deadline_list *list = mem_alloc(sizeof *list);
    list->duration_ms = duration_ms;
    list_init(&list->waiting);
    deadlines->lists[deadlines->count++] = list;
    return list;
}

void deadline_set(struct deadlines *deadlines, struct deadline *deadline, int64_t duration_ms,
                  uint64_t now_ns, void (*expired)(struct deadline *deadline)) {
    list_remove(&deadline->link);
    if (duration_ms < 0)
        return;
    deadline->at_ns = now_ns + (uint64_t)duration_ms * NS_PER_MS;
    deadline->expired = expired;
    list_push(&list_for(deadlines, duration_ms)->waiting, &deadline->link);
}

void deadlines_sweep(struct deadlines *deadlines, uint64_t now_ns) {
    for (unsigned i = 0; i < deadlines->count; i++) {
        struct deadline_list *list = deadlines->lists[i];
        while (!list_empty(&list->waiting)) {
            struct deadline *first = list_entry(list->waiting.next, struct deadline, link);
            if (first->at_ns > now_ns)
                break;
            list_remove(&first->link);
            first->expired(first);
        }
    }
    // Durations that a reload took away leave an empty list behind: drop those, so that the search stays
    // short.
    for (unsigned i = 0; deadlines->count > 16 && i < deadlines->count;) {
        if (list_empty(&deadlines->lists[i]->waiting)) {
            mem_free(deadlines->lists[i]);
            deadlines->lists[i] = deadlines->lists[--deadlines->count];
        } else {
            i++;
        }
    }
}

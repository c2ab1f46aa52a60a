#include "io/turns.h"

// Taken up each time round. Few enough that the first are still in the second-level cache when their answers
// come, enough that looking for events costs little beside them.
#define TURNS_AT_ONCE 64

static void turns_due(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct turns *turns = context;
    struct link *turn;
    turns->due = false;
    for (unsigned i = 0; i < TURNS_AT_ONCE && (turn = list_pop(&turns->waiting)); i++)
        turns->serve(turn);
    if (list_empty(&turns->waiting) || turns->due)
        return;
    // As a timer it comes after the loop has looked for events, and after those.
    static const struct timeval now = {0};
    turns->due = true;
    event_add(&turns->event, &now);
}

void turns_init(struct turns *turns, struct event_base *base, void (*serve)(struct link *turn)) {
    list_init(&turns->waiting);
    turns->due = false;
    turns->serve = serve;
    event_assign(&turns->event, base, -1, 0, turns_due, turns);
}

void turns_finish(struct turns *turns) {
    event_del(&turns->event);
}

void turns_ask(struct turns *turns, struct link *turn) {
    if (list_linked(turn))
        return;
    list_push(&turns->waiting, turn);
    if (turns->due)
        return;
    turns->due = true;
    event_active(&turns->event, EV_TIMEOUT, 1); // behind what has happened already
}

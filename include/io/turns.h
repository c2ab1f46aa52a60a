// turns: which client's next request is taken up when. What has begun goes first: of the connections between
// requests that have something to say, some are served each time the event loop comes round, after everything
// that happened to the exchanges under way; the rest wait in the order in which they came. With thousands of
// them at once a request is then answered while it is in the caches, over a few upstream connections, instead
// of all being sent before the first answer is looked at. Owner: the worker; its thread only.
#pragma once
#include "base/list.h"
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

struct turns {
    struct link waiting; // sessions
    struct event event;  // the next turns are due
    bool due;
    void (*serve)(struct link *turn); // which is in no list any more
};

void turns_init(struct turns *turns, struct event_base *base, void (*serve)(struct link *turn));
void turns_finish(struct turns *turns);
// Once more has no effect. `list_remove(turn)` takes it back; a turn that is zeroed waits for nothing.
void turns_ask(struct turns *turns, struct link *turn);

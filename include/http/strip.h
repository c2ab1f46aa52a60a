// strip: takes the tokens out of a stream of server-sent events that was asked for them behind the client's
// back: the event that has nothing but them (`usage` beside empty `choices`) goes, and a `usage` of any other
// event goes out of it. All else passes byte for byte. Events are passed on whole: what has come of one is
// held until its end has; one that is longer than a limit passes, and everything behind it. Pure; one per
// stream.
#pragma once
#include "base/strbuf.h"

#define STRIP_HELD (64 * 1024) // bytes of an event

struct strip {
    struct strbuf held;
    bool given_up;
};

// Appends to `out` what goes on of the next bytes, of any cut.
void strip_feed(struct strip *strip, struct slice bytes, struct strbuf *out);
// The stream has ended: what is held goes on.
void strip_end(struct strip *strip, struct strbuf *out);
void strip_free(struct strip *strip); // zeroed: usable again

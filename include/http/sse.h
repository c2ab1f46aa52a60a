// sse: walks a stream of server-sent events (WHATWG HTML 9.2.6) for the data of its events, in pieces of any
// cut. Lines end with LF, CR or both; fields other than `data` are stepped over. Pure; one per stream.
#pragma once
#include "base/slice.h"

enum sse_piece {
    SSE_NONE,  // the input is used up
    SSE_DATA,  // a part of an event's data
    SSE_WHOLE, // all of it, and the event's end
    SSE_END,   // of an event (also of one without data)
};

struct sse {
    uint8_t state;
    uint8_t matched; // bytes of "data:" at the line's start
    bool after_cr;   // a LF that comes now belongs to the line's end before it
    bool has_data;   // the event has had a line of data
};

void sse_start(struct sse *sse);
// Whether an event begins with the next byte: all is zero then.
static inline bool sse_between(const struct sse *sse) {
    return !sse->state && !sse->matched && !sse->after_cr && !sse->has_data;
}
// The next piece of *bytes, which is cut off it; *data is set for SSE_DATA and SSE_WHOLE. Which pieces an
// event comes in depends on the cut; what they make together does not.
enum sse_piece sse_next(struct sse *sse, struct slice *bytes, struct slice *data);

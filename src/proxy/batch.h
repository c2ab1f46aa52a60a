// batch: text that a worker collects, piece by piece, and hands on when it has become much or old. Owner: the
// embedding lane; its worker's thread.
#pragma once
#include "base/strbuf.h"
#include <event2/event.h>
#include <event2/event_struct.h>

struct batch {
    struct strbuf text;
    unsigned count; // of pieces
    size_t most_bytes;
    unsigned most_ms;
    // Takes what is in `text`, or drops it; empties it in either case.
    void (*hand_over)(struct batch *batch);
    struct event timer;
};
void batch_init(struct batch *batch, struct event_base *base, size_t most_bytes, unsigned most_ms,
                void (*hand_over)(struct batch *batch));
void batch_flush(struct batch *batch); // hands over what there is
void batch_end(struct batch *batch);   // hands the rest over
// Where a piece is appended, then batch_done.
struct strbuf *batch_open(struct batch *batch);
void batch_done(struct batch *batch);
// Moves the text out.
struct strbuf batch_take(struct batch *batch);

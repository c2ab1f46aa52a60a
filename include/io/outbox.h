// outbox: what a connection still has to write when its socket took less than it was given. Owner: the
// connection; its worker's thread. Empty nearly always: bytes are tried on the socket at once and only the
// rest stays. While it is not empty the other side is not read (back-pressure), so it holds at most one head
// and one buffer.
#pragma once
#include "base/slice.h"
#include "io/buffer.h"
#include "io/pipe.h"
#include "io/stream.h"

enum segment_owner {
    SEGMENT_COPIED, // borrowed for the call: copied when it has to stay
    SEGMENT_STAYS,  // borrowed; its owner keeps it until the outbox is empty or cleared
    SEGMENT_BUFFER, // moves in; given back to its pool when written
    SEGMENT_HEAP,   // moves in; mem_free when written
    SEGMENT_PIPE,   // moves in; given back to its pool when written
};
struct segment {
    const char *at;
    size_t len;
    enum segment_owner owner;
    void *memory; // the struct buffer, the heap block or the struct pipe
};

#define OUTBOX_SEGMENTS 4
struct outbox {
    struct segment *segments; // OUTBOX_SEGMENTS of them while there are any: connections that wait hold none
    unsigned count;
};

static inline bool outbox_empty(const struct outbox *outbox) {
    return outbox->count == 0;
}
// Writes segments (at most OUTBOX_SEGMENTS; the outbox must be empty). Ownership moves in always.
// STREAM_DONE: all is written. STREAM_BLOCKED: the rest stays. STREAM_FAILED: everything was released.
enum stream_result outbox_send(struct outbox *outbox, struct stream *stream, const struct segment *segments,
                               unsigned count);
// Goes on writing what stayed; the same results.
enum stream_result outbox_flush(struct outbox *outbox, struct stream *stream);
void outbox_clear(struct outbox *outbox); // releases everything unwritten

static inline struct segment segment_buffer(struct buffer *buffer) {
    return (struct segment){buffer_at(buffer), buffer_len(buffer), SEGMENT_BUFFER, buffer};
}
static inline struct segment segment_pipe(struct pipe *pipe) { // all that is in it
    return (struct segment){NULL, pipe->bytes, SEGMENT_PIPE, pipe};
}
static inline struct segment segment_copied(struct slice s) {
    return (struct segment){s.at, s.len, SEGMENT_COPIED, NULL};
}
static inline struct segment segment_stays(struct slice s) {
    return (struct segment){s.at, s.len, SEGMENT_STAYS, NULL};
}

#include "io/outbox.h"
#include "base/mem.h"

static void release(struct segment *segment) {
    if (segment->owner == SEGMENT_BUFFER)
        buffer_give(segment->memory);
    else if (segment->owner == SEGMENT_HEAP)
        mem_free(segment->memory);
    else if (segment->owner == SEGMENT_PIPE)
        pipe_give(segment->memory);
}

static void release_all(struct segment *segments, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        release(&segments[i]);
}

// Takes `put` written bytes off the front; returns how many segments are done with.
static unsigned advance(struct segment *segments, unsigned count, size_t put) {
    unsigned done = 0;
    while (done < count && put >= segments[done].len) {
        put -= segments[done].len;
        release(&segments[done]);
        done++;
    }
    if (done < count) {
        segments[done].at += put;
        segments[done].len -= put;
    }
    return done;
}

// Little is copied together first: that costs less than telling the kernel of several pieces.
#define JOINED_BYTES 4096

// What one write can take, up to the first pipe.
static int gather(const struct segment *segments, unsigned count, char *room, struct iovec *parts) {
    size_t total = 0;
    int n = 0;
    for (unsigned i = 0; i < count && segments[i].owner != SEGMENT_PIPE; i++) {
        parts[n++] = (struct iovec){(void *)segments[i].at, segments[i].len};
        total += segments[i].len;
    }
    if (n == 1 || total > JOINED_BYTES)
        return n;
    char *at = room;
    for (int i = 0; i < n; i++) {
        memcpy(at, parts[i].iov_base, parts[i].iov_len);
        at += parts[i].iov_len;
    }
    *parts = (struct iovec){room, total};
    return 1;
}

static enum stream_result write_some(struct stream *stream, const struct segment *segments, unsigned count,
                                     size_t *put) {
    char room[JOINED_BYTES];
    struct iovec parts[OUTBOX_SEGMENTS];
    if (segments->owner == SEGMENT_PIPE)
        return pipe_pour(segments->memory, stream, put);
    return stream_write(stream, parts, gather(segments, count, room, parts), put);
}

static enum stream_result write_segments(struct stream *stream, struct segment *segments, unsigned *count) {
    unsigned first = 0;
    enum stream_result result = STREAM_DONE;
    while (first < *count) {
        size_t put;
        result = write_some(stream, segments + first, *count - first, &put);
        if (result != STREAM_DONE)
            break;
        first += advance(segments + first, *count - first, put);
    }
    *count -= first;
    memmove(segments, segments + first, *count * sizeof *segments);
    // Everything was taken, but not all of it by the socket: an empty segment stands for that, so that the
    // outbox is not empty before the stream is.
    if (result == STREAM_DONE && stream_unsent(stream)) {
        segments[(*count)++] = (struct segment){"", 0, SEGMENT_STAYS, NULL};
        result = STREAM_BLOCKED;
    }
    return result;
}

// Turns what was only borrowed for the call into our own.
static void keep(struct segment *segments, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        if (segments[i].owner != SEGMENT_COPIED)
            continue;
        char *copy = mem_alloc(segments[i].len);
        memcpy(copy, segments[i].at, segments[i].len);
        segments[i] = (struct segment){copy, segments[i].len, SEGMENT_HEAP, copy};
    }
}

// Small heads that come one after another while nothing can be written become one segment.
static bool join(struct outbox *outbox, const struct segment *segment) {
    struct segment *last = outbox->count ? &outbox->segments[outbox->count - 1] : NULL;
    if (!last || last->owner != SEGMENT_HEAP || segment->owner != SEGMENT_COPIED)
        return false;
    size_t offset = (size_t)(last->at - (char *)last->memory);
    char *memory = mem_resize(last->memory, offset + last->len + segment->len);
    memcpy(memory + offset + last->len, segment->at, segment->len);
    *last = (struct segment){memory + offset, last->len + segment->len, SEGMENT_HEAP, memory};
    return true;
}

static void append(struct outbox *outbox, struct segment *segments, unsigned count) {
    if (!outbox->segments)
        outbox->segments = mem_alloc(OUTBOX_SEGMENTS * sizeof *outbox->segments);
    for (unsigned i = 0; i < count; i++) {
        if (join(outbox, &segments[i]))
            continue;
        must(outbox->count < OUTBOX_SEGMENTS);
        keep(&segments[i], 1);
        outbox->segments[outbox->count++] = segments[i];
    }
}

enum stream_result outbox_send(struct outbox *outbox, struct stream *stream, const struct segment *segments,
                               unsigned count) {
    must(count <= OUTBOX_SEGMENTS);
    struct segment rest[OUTBOX_SEGMENTS];
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        rest[left] = segments[i];
        if (rest[left].len)
            left++;
        else
            release(&rest[left]);
    }
    enum stream_result result = outbox->count ? STREAM_BLOCKED : write_segments(stream, rest, &left);
    if (result == STREAM_FAILED) {
        release_all(rest, left);
    } else if (result == STREAM_BLOCKED) {
        append(outbox, rest, left);
    }
    return result;
}

enum stream_result outbox_flush(struct outbox *outbox, struct stream *stream) {
    if (outbox->count == 0)
        return STREAM_DONE;
    enum stream_result result = write_segments(stream, outbox->segments, &outbox->count);
    if (result != STREAM_BLOCKED)
        outbox_clear(outbox);
    return result;
}

void outbox_clear(struct outbox *outbox) {
    release_all(outbox->segments, outbox->count);
    outbox->count = 0;
    mem_free(outbox->segments);
    outbox->segments = NULL;
}

// buffer: fixed-size blocks that connections hold only while bytes are in them. One pool per worker (its
// thread only); given back newest first, so that a busy worker keeps using the same warm block.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Free bytes kept before what is read, for a chunk-size line, and behind it, for CRLF and the last chunk.
#define BUFFER_HEADROOM 32
#define BUFFER_TAILROOM 16

struct buffer_pool {
    struct buffer *free;
    unsigned free_count, used;
    size_t room; // bytes a buffer can take between headroom and tailroom
};
struct buffer {
    struct buffer *next;
    struct buffer_pool *pool;
    uint32_t start, end; // the bytes in use, as offsets into bytes
    char bytes[];
};

void buffer_pool_init(struct buffer_pool *pool, size_t room);
void buffer_pool_free(struct buffer_pool *pool);      // all buffers were given back
struct buffer *buffer_take(struct buffer_pool *pool); // empty: start == end == BUFFER_HEADROOM
void buffer_give(struct buffer *buffer);              // back to its pool; NULL is allowed
// What the buffers in use take, bytes.
static inline size_t buffer_pool_bytes(const struct buffer_pool *pool) {
    return pool->used * (sizeof(struct buffer) + BUFFER_HEADROOM + BUFFER_TAILROOM + pool->room);
}
void buffer_compact(
    struct buffer *buffer); // moves the bytes in use to the front, so that a head can grow to its limit

static inline char *buffer_at(struct buffer *buffer) {
    return buffer->bytes + buffer->start;
}
static inline size_t buffer_len(const struct buffer *buffer) {
    return buffer->end - buffer->start;
}
static inline size_t buffer_space(const struct buffer *buffer) { // behind the bytes in use
    return BUFFER_HEADROOM + buffer->pool->room - buffer->end;
}

#include "io/buffer.h"
#include "base/mem.h"
#include <string.h>

// More than this many idle blocks go back to the allocator: a burst does not stay in memory.
#define KEEP_FREE 64

void buffer_pool_init(struct buffer_pool *pool, size_t room) {
    *pool = (struct buffer_pool){.room = room};
}

void buffer_pool_free(struct buffer_pool *pool) {
    while (pool->free) {
        struct buffer *next = pool->free->next;
        mem_free(pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

struct buffer *buffer_take(struct buffer_pool *pool) {
    struct buffer *buffer = pool->free;
    if (buffer) {
        pool->free = buffer->next;
        pool->free_count--;
    } else {
        buffer = mem_alloc(sizeof *buffer + BUFFER_HEADROOM + pool->room + BUFFER_TAILROOM);
        buffer->pool = pool;
    }
    pool->used++;
    buffer->next = NULL;
    buffer->start = buffer->end = BUFFER_HEADROOM;
    return buffer;
}

void buffer_give(struct buffer *buffer) {
    if (!buffer)
        return;
    struct buffer_pool *pool = buffer->pool;
    pool->used--;
    if (pool->free_count >= KEEP_FREE) {
        mem_free(buffer);
        return;
    }
    buffer->next = pool->free;
    pool->free = buffer;
    pool->free_count++;
}

void buffer_compact(struct buffer *buffer) {
    if (buffer->start == BUFFER_HEADROOM)
        return;
    size_t len = buffer_len(buffer);
    memmove(buffer->bytes + BUFFER_HEADROOM, buffer_at(buffer), len);
    buffer->start = BUFFER_HEADROOM;
    buffer->end = BUFFER_HEADROOM + (uint32_t)len;
}

#include "base/arena.h"
#include "base/mem.h"
#include <stdalign.h>
#include <stdio.h>

#ifdef ARENA_CHECKED
#include <sanitizer/asan_interface.h>
#define REDZONE 16u // poisoned after every piece
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define REDZONE                               0u
#endif

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; // of data
    alignas(16) char data[];
};

void arena_init(struct arena *arena, size_t chunk_bytes) {
    must(chunk_bytes >= 64);
    *arena = (struct arena){.chunk_bytes = (chunk_bytes + 15) & ~(size_t)15};
}

static void chunk_free(struct arena_chunk *chunk) {
    ASAN_UNPOISON_MEMORY_REGION(chunk->data, chunk->size);
    mem_free(chunk);
}

static struct arena_chunk *chunk_new(size_t size) {
    size_t bytes;
    must(!__builtin_add_overflow(size, sizeof(struct arena_chunk), &bytes));
    struct arena_chunk *chunk = mem_alloc(bytes);
    chunk->older = NULL;
    chunk->size = size;
    ASAN_POISON_MEMORY_REGION(chunk->data, size);
    return chunk;
}

static void use_chunk(struct arena *arena, struct arena_chunk *chunk) {
    arena->newest = chunk;
    arena->at = chunk->data;
    arena->end = chunk->data + chunk->size;
}

void arena_reset(struct arena *arena) {
    struct arena_chunk *keep = NULL;
    for (struct arena_chunk *chunk = arena->newest, *older; chunk; chunk = older) {
        older = chunk->older;
        // An oversize chunk is never kept: one big request would stay in memory for ever.
        struct arena_chunk *drop = chunk->size == arena->chunk_bytes ? keep : chunk;
        if (chunk->size == arena->chunk_bytes)
            keep = chunk;
        if (drop)
            chunk_free(drop);
    }
    arena->newest = NULL;
    arena->at = arena->end = NULL;
    if (keep) {
        keep->older = NULL;
        ASAN_POISON_MEMORY_REGION(keep->data, keep->size);
        use_chunk(arena, keep);
    }
}

void arena_free(struct arena *arena) {
    for (struct arena_chunk *chunk = arena->newest, *older; chunk; chunk = older) {
        older = chunk->older;
        chunk_free(chunk);
    }
    arena->newest = NULL;
    arena->at = arena->end = NULL;
}

// A piece too big for a fresh chunk gets one of its own, chained behind the newest, whose free part stays in
// use.
static void *take_oversize(struct arena *arena, size_t size) {
    struct arena_chunk *chunk = chunk_new(size);
    if (arena->newest) {
        chunk->older = arena->newest->older;
        arena->newest->older = chunk;
    } else {
        use_chunk(arena, chunk);
        arena->at = arena->end;
    }
    return chunk->data;
}

void *arena_grow(struct arena *arena, size_t size) {
    size_t rounded;
    must(!__builtin_add_overflow(size, 15u + REDZONE, &rounded));
    rounded &= ~(size_t)15;
    char *result;
    if (rounded > arena->chunk_bytes) {
        result = take_oversize(arena, rounded);
    } else {
        if (!arena->at || (size_t)(arena->end - arena->at) < rounded) {
            struct arena_chunk *chunk = chunk_new(arena->chunk_bytes);
            chunk->older = arena->newest;
            use_chunk(arena, chunk);
        }
        result = arena->at;
        arena->at += rounded;
    }
    ASAN_UNPOISON_MEMORY_REGION(result, size);
    return result;
}

void *arena_zero(struct arena *arena, size_t count, size_t size) {
    size_t bytes;
    must(!__builtin_mul_overflow(count, size, &bytes));
    return memset(arena_alloc(arena, bytes), 0, bytes);
}

char *arena_string(struct arena *arena, struct slice s) {
    char *copy = arena_alloc(arena, s.len + 1);
    if (s.len)
        memcpy(copy, s.at, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice s) {
    return slice_make(arena_string(arena, s), s.len);
}

char *arena_format(struct arena *arena, const char *format, ...) {
    char small[256];
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    must(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    if ((size_t)len < sizeof small)
        memcpy(text, small, (size_t)len + 1);
    else
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

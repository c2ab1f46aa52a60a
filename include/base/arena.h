// arena: memory that is given back all at once (one configuration, one exchange). Owner: the embedding
// object; one thread at a time. Nothing in it is freed alone. Allocation aborts when memory is out.
#pragma once
#include "base/slice.h"
#include <stdarg.h>
#include <stddef.h>

// Under AddressSanitizer every allocation takes the slow path, which keeps all but the pieces handed out
// poisoned.
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_CHECKED 1
#endif
#endif

struct arena_chunk;
struct arena {
    char *at, *end;             // the free part of the newest chunk
    struct arena_chunk *newest; // chain, newest first
    size_t chunk_bytes;         // size of a fresh chunk
};

void arena_init(struct arena *arena, size_t chunk_bytes); // takes no memory until the first allocation
void arena_reset(struct arena *arena); // keeps one chunk of chunk_bytes for reuse, frees the rest
void arena_free(struct arena *arena);  // frees all; the arena may be used again
void *arena_grow(struct arena *arena, size_t size); // the slow path of arena_alloc

// 16-byte aligned, uninitialised.
static inline void *arena_alloc(struct arena *arena, size_t size) {
#ifdef ARENA_CHECKED
    return arena_grow(arena, size);
#else
    size = (size + 15) & ~(size_t)15;
    if ((size_t)(arena->end - arena->at) < size || arena->at == NULL)
        return arena_grow(arena, size);
    void *result = arena->at;
    arena->at += size;
    return result;
#endif
}
void *arena_zero(struct arena *arena, size_t count, size_t size);
struct slice arena_copy(struct arena *arena, struct slice s); // the bytes, copied, NUL after them
char *arena_string(struct arena *arena, struct slice s);      // the same as a C string
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

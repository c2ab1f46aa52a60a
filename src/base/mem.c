#include "base/mem.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Neither of the two ways to die may allocate, take stdio's lock or wait for who reads the log: one write(2),
// then a core for the debugger.
static _Noreturn void die(const char *text, size_t len) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t written = poll(&out, 1, 0) == 1 ? write(STDERR_FILENO, text, len) : 0;
    (void)written;
    abort();
}

static _Noreturn void out_of_memory(void) {
    static const char text[] = "out of memory, giving up\n";
    die(text, sizeof text - 1);
}

_Noreturn void must_fail(const char *condition, const char *file, int line) {
    char text[512];
    int len =
        snprintf(text, sizeof text - 1, "impossible state at %s:%d: %s is false", file, line, condition);
    size_t used = len < 0 ? 0 : (size_t)len < sizeof text - 1 ? (size_t)len : sizeof text - 2;
    text[used++] = '\n';
    die(text, used);
}

void *mem_alloc(size_t size) {
    void *memory = malloc(size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void *mem_zero(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1); // checks the product for overflow
    if (!memory)
        out_of_memory();
    return memory;
}

void *mem_zero_aligned(size_t align, size_t size) {
    must(align && (align & (align - 1)) == 0);
    size_t rounded;
    if (__builtin_add_overflow(size ? size : 1, align - 1, &rounded))
        out_of_memory();
    rounded &= ~(align - 1);
    void *memory = NULL;
    if (posix_memalign(&memory, align < sizeof(void *) ? sizeof(void *) : align, rounded) != 0)
        out_of_memory();
    return memset(memory, 0, rounded);
}

void *mem_resize(void *old, size_t size) {
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

char *mem_copy_string(const char *text) {
    if (!text)
        return NULL;
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}

void mem_free(void *memory) {
    free(memory);
}

// For LD_PRELOAD: of the allocations since the file FAIL_SINCE was opened, the one numbered FAIL_AT fails,
// and with FAIL_ON=1 every one behind it. ALLOCATIONS_TO names a file that gets how many there were, when the
// process ends by itself. What libraries allocate when the process starts is not ours to handle.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t align, size_t size);

static atomic_long count, fail_at;
static atomic_bool fail_on, ready;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FAIL_AT"), *on = getenv("FAIL_ON");
    atomic_store(&fail_at, at ? atol(at) : 0);
    atomic_store(&fail_on, on && *on == '1');
}

static int opened(const char *path, int flags, mode_t mode) {
    const char *since = getenv("FAIL_SINCE");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (since && strcmp(path, since) == 0)
        atomic_store(&ready, true);
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(path, flags, mode);
}

__attribute__((destructor)) static void end(void) {
    const char *to = getenv("ALLOCATIONS_TO");
    int fd = to ? open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    char digits[24];
    size_t at = sizeof digits;
    for (long left = atomic_load(&count); left > 0; left /= 10)
        digits[--at] = (char)('0' + left % 10);
    if (fd >= 0 && write(fd, digits + at, sizeof digits - at) < 0)
        _exit(99);
    if (fd >= 0)
        close(fd);
}

static int fails(void) {
    if (!atomic_load(&ready))
        return 0;
    long number = atomic_fetch_add(&count, 1) + 1, at = atomic_load(&fail_at);
    if (at == 0 || (number != at && !(atomic_load(&fail_on) && number > at)))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    return fails() ? NULL : __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **memory, size_t align, size_t size) {
    if (fails())
        return ENOMEM;
    *memory = __libc_memalign(align, size);
    return *memory ? 0 : ENOMEM;
}

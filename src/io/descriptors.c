#include "io/descriptors.h"
#include <errno.h>
#include <limits.h>
#include <sys/resource.h>

#define KEPT_LEAST 32
#define KEPT_MOST  1024

struct descriptors descriptors_share(uint64_t limit) {
    uint64_t kept = limit / 8;
    kept = kept < KEPT_LEAST ? KEPT_LEAST : kept > KEPT_MOST ? KEPT_MOST : kept;
    uint64_t data = limit > 2 * KEPT_LEAST ? limit - kept : limit / 2;
    if (data > INT_MAX)
        data = INT_MAX;
    return (struct descriptors){
        .clients = data - data / 4, .data = (int)data, .pipes = (int)(data - data / 4)};
}

struct descriptors descriptors_read(void) {
    struct rlimit limit;
    return descriptors_share(getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024);
}

bool descriptors_short(int code) {
    return code == EMFILE || code == ENFILE;
}

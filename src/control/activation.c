#include "activation.h"

#include "base/log.h"
#include "base/slice.h"

#include <stdlib.h>
#include <unistd.h>

#define FIRST 3
#define MOST  1024

size_t activation_count(const char *listen_pid, const char *listen_fds, pid_t pid) {
    uint64_t of, count;
    if (!listen_pid || !listen_fds || !slice_to_u64(slice_of(listen_pid), &of) || of != (uint64_t)pid)
        return 0;
    return slice_to_u64(slice_of(listen_fds), &count) && count <= MOST ? (size_t)count : 0;
}

void activation_read(struct inherited *inherited) {
    size_t count = activation_count(getenv("LISTEN_PID"), getenv("LISTEN_FDS"), getpid());
    const char *text = getenv("LISTEN_FDNAMES");
    struct slice names = slice_of(text);
    for (size_t i = 0; i < count; i++) {
        struct slice name = names.at ? slice_cut(&names, ':') : SLICE_NONE;
        struct socket_file nobodys = {0};
        struct error error;
        int fd = FIRST + (int)i;
        if (!inherited_add(inherited, NULL, &fd, 1, &nobodys, true, &error))
            log_warn("a descriptor of the service manager cannot be used", "fd=%d name=%.*s error=\"%s\"", fd,
                     (int)name.len, name.at ? name.at : "", error.text);
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

#include "service.h"

#include "base/clock.h"
#include "base/slice.h"
#include "base/strbuf.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// "@name" is an abstract socket. Whether anybody hears it is not ours to care about.
static void say(struct strbuf *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    int fd = -1;
    if (len > 1 && len < sizeof to.sun_path && (path[0] == '/' || path[0] == '@'))
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        memcpy(to.sun_path, path, len);
        if (path[0] == '@')
            to.sun_path[0] = '\0';
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
        ssize_t sent =
            sendto(fd, state->at, state->len, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, size);
        (void)sent;
        close(fd);
    }
    strbuf_free(state);
}

// One line: a line end would begin another assignment.
static void add_status(struct strbuf *state, const char *status) {
    if (!status)
        return;
    strbuf_literal(state, "STATUS=");
    for (; *status; status++)
        strbuf_char(state, *status == '\n' ? ' ' : *status);
    strbuf_char(state, '\n');
}

void service_ready(const char *status) {
    struct strbuf state = {0};
    strbuf_literal(&state, "READY=1\n");
    add_status(&state, status);
    say(&state);
}

void service_reloading(void) {
    struct strbuf state = {0};
    strbuf_format(&state, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
                  (unsigned long long)(clock_monotonic_ns() / 1000));
    say(&state);
}

void service_stopping(void) {
    struct strbuf state = {0};
    strbuf_literal(&state, "STOPPING=1\n");
    add_status(&state, "stopping, requests may finish");
    say(&state);
}

void service_status(const char *status) {
    struct strbuf state = {0};
    add_status(&state, status);
    say(&state);
}

void service_main(pid_t pid) {
    struct strbuf state = {0};
    strbuf_format(&state, "MAINPID=%lld\n", (long long)pid);
    say(&state);
}

void service_alive(void) {
    struct strbuf state = {0};
    strbuf_literal(&state, "WATCHDOG=1\n");
    say(&state);
}

uint64_t service_watchdog(void) {
    const char *of = getenv("WATCHDOG_PID"), *every = getenv("WATCHDOG_USEC");
    uint64_t pid, us;
    if (!every || !slice_to_u64(slice_of(every), &us))
        return 0;
    if (of && (!slice_to_u64(slice_of(of), &pid) || pid != (uint64_t)getpid()))
        return 0;
    return us;
}

#include "io/liveness.h"
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

// The kernel counts probes in whole seconds, of which it takes 32767 at most.
static int seconds(int64_t ms) {
    int64_t whole = ms / 1000;
    return whole < 1 ? 1 : whole > 32767 ? 32767 : (int)whole;
}

void liveness_set(int fd, int64_t most_ms) {
    int on = most_ms >= 0, most = most_ms > INT_MAX ? INT_MAX : (int)most_ms;
    int idle = seconds(most_ms / 2), between = seconds(most_ms / 6);
    if (!on)
        most = 0;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &most, sizeof most);
    if (!on)
        return;
    // With a user time-out the kernel looks at the time, and not at the number of probes.
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
}

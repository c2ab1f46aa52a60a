#include "io/listen.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG      4096
#define UNSENT_BYTES (256 << 10)

static int fail(int fd, const struct address *address, const char *verb, struct error *error) {
    char text[ADDRESS_TEXT];
    int code = errno;
    address_text(address, text);
    error_set(error, "cannot %s %s: %s", verb, text, strerror(code));
    if (fd >= 0)
        close(fd);
    return -1;
}

void listen_tune(int fd) {
    int on = 1, unsent = UNSENT_BYTES;
    // One system call fewer for each accepted socket.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // What was not sent yet waits with whoever it came from: a client that reads nothing then holds this much
    // and not a send buffer of megabytes.
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

int listen_open(const struct address *address, bool share, struct error *error) {
    int family = address->any.sa_family, on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(fd, address, "make a socket for", error);
    if (family != AF_UNIX) {
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
            (share && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0))
            return fail(fd, address, "share", error);
        listen_tune(fd);
    }
    // "[::]:80" and "0.0.0.0:80" are two listeners, not one that shadows the other.
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return fail(fd, address, "limit to IPv6", error);
    if (bind(fd, &address->any, address->len) != 0)
        return fail(fd, address, "bind", error);
    if (listen(fd, BACKLOG) != 0)
        return fail(fd, address, "listen on", error);
    return fd;
}

bool listen_taken(const struct address *address) {
    if (address->any.sa_family == AF_UNIX || address_port(address) == 0)
        return false;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return false;
    // Without SO_REUSEPORT on this side, bind fails when anybody listens there.
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->any.sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    bool taken = bind(fd, &address->any, address->len) != 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

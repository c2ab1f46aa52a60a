#include "opened.h"
#include "base/mem.h"
#include "io/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// The first so many, for the workers that have none of their own yet.
static bool share(struct opened *opened, size_t sockets, struct error *error) {
    opened->sockets = sockets;
    for (size_t i = sockets; i < opened->fd_count; i++) {
        opened->fds[i] = fcntl(opened->fds[i % sockets], F_DUPFD_CLOEXEC, 3);
        if (opened->fds[i] < 0)
            return error_set(error, "cannot share %s: %s", opened->configured, strerror(errno));
    }
    return true;
}

// Every worker has its own queue; port 0 becomes the first one's real port for the others.
static bool open_ports(struct opened *opened, struct address *address, struct error *error) {
    if (listen_taken(address))
        return error_set(error, "cannot listen on %s: the address is already in use", opened->configured);
    for (size_t i = 0; i < opened->fd_count; i++) {
        opened->fds[i] = listen_open(address, true, error);
        if (opened->fds[i] < 0)
            return false;
        address->len = sizeof *address - offsetof(struct address, any);
        getsockname(opened->fds[i], &address->any, &address->len);
        opened->bound = *address;
    }
    opened->sockets = opened->fd_count;
    return true;
}

// Unix sockets know no SO_REUSEPORT: all workers accept from one queue.
static bool open_file(struct opened *opened, const struct address *address, struct error *error) {
    opened->bound = *address;
    opened->fds[0] = socket_file_listen(&opened->file, address, opened->mode, error);
    return opened->fds[0] >= 0 && share(opened, 1, error);
}

static void make_room(struct opened *opened, size_t count) {
    opened->fd_count = count;
    opened->fds = mem_alloc(count * sizeof *opened->fds);
    for (size_t i = 0; i < count; i++)
        opened->fds[i] = -1;
}

static bool adopt(struct opened *opened, const struct inherited_sockets *sockets, unsigned workers,
                  struct error *error) {
    opened->adopted = true;
    opened->lent = sockets->lent;
    opened->bound = sockets->bound;
    opened->file = sockets->file;
    make_room(opened, sockets->count > workers ? sockets->count : workers);
    memcpy(opened->fds, sockets->fds, sockets->count * sizeof *opened->fds);
    mem_free(sockets->fds);
    return share(opened, sockets->count, error);
}

bool opened_open(struct opened *opened, const struct listener_config *config, unsigned workers,
                 struct inherited *inherited, struct front *take_front, struct error *error) {
    struct address address;
    struct inherited_sockets sockets;
    *opened =
        (struct opened){.configured = config->address, .front = take_front, .mode = (mode_t)config->mode};
    if (inherited && inherited_take(inherited, config->address, &sockets))
        return adopt(opened, &sockets, workers, error);
    make_room(opened, workers);
    if (!address_parse(&address, config->address, error))
        return false;
    return address.any.sa_family == AF_UNIX ? open_file(opened, &address, error)
                                            : open_ports(opened, &address, error);
}

void opened_abandon(struct opened *opened) {
    for (size_t i = 0; i < opened->fd_count; i++)
        if (opened->fds[i] >= 0)
            close(opened->fds[i]);
    if (opened->adopted)
        socket_file_leave(&opened->file); // whoever passed it goes on there
    else
        socket_file_remove(&opened->file);
    front_unref(opened->front);
    mem_free(opened->fds);
}

#include "opened.h"
#include "base/mem.h"
#include "io/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

// Every worker has its own queue; port 0 becomes the first one's real port for the others.
static bool open_ports(struct opened *opened, struct address *address, unsigned workers,
                       struct error *error) {
    if (listen_taken(address))
        return error_set(error, "cannot listen on %s: the address is already in use", opened->configured);
    for (unsigned i = 0; i < workers; i++) {
        opened->fds[i] = listen_open(address, true, error);
        if (opened->fds[i] < 0)
            return false;
        address->len = sizeof *address - offsetof(struct address, any);
        getsockname(opened->fds[i], &address->any, &address->len);
        opened->bound = *address;
    }
    return true;
}

// Unix sockets know no SO_REUSEPORT: all workers accept from one queue.
static bool open_file(struct opened *opened, const struct address *address, mode_t mode, unsigned workers,
                      struct error *error) {
    opened->bound = *address;
    opened->fds[0] = socket_file_listen(&opened->file, address, mode, error);
    for (unsigned i = 1; i < workers && opened->fds[0] >= 0; i++) {
        opened->fds[i] = fcntl(opened->fds[0], F_DUPFD_CLOEXEC, 3);
        if (opened->fds[i] < 0)
            return error_set(error, "cannot share %s: %s", opened->configured, strerror(errno));
    }
    return opened->fds[0] >= 0;
}

bool opened_open(struct opened *opened, const char *text, mode_t mode, unsigned workers,
                 struct front *take_front, struct error *error) {
    struct address address;
    *opened = (struct opened){.configured = text, .front = take_front, .mode = mode};
    opened->fds = mem_alloc(workers * sizeof *opened->fds);
    for (unsigned i = 0; i < workers; i++)
        opened->fds[i] = -1;
    if (!address_parse(&address, text, error))
        return false;
    return address.any.sa_family == AF_UNIX ? open_file(opened, &address, mode, workers, error)
                                            : open_ports(opened, &address, workers, error);
}

void opened_abandon(struct opened *opened, unsigned workers) {
    for (unsigned i = 0; i < workers; i++)
        if (opened->fds[i] >= 0)
            close(opened->fds[i]);
    socket_file_remove(&opened->file);
    front_unref(opened->front);
    mem_free(opened->fds);
}

// inherited: listening sockets that were open before this process began: its predecessor's (a binary upgrade)
// or a service manager's (socket activation). Whoever opens an address at the start looks here first. Closing
// a socket of SO_REUSEPORT resets what waits in its queue, so they are taken over and never replaced. Owner:
// the daemon, until its first configuration runs. Control thread.
#pragma once
#include "io/socket_file.h"

struct inherited;
struct inherited *inherited_new(void);
void inherited_free(struct inherited *inherited); // closes what nobody took; NULL is allowed

// The sockets `fds` of one address move in, and *take_file (zeroed: the file of a unix socket is somebody
// else's, or it is none). `name`: as the predecessor's configuration wrote the address, or NULL. `lent`: who
// passed them keeps them open too. False and *error when one of them is no listening stream socket; then it
// is closed.
bool inherited_add(struct inherited *inherited, const char *name, const int *fds, size_t count,
                   struct socket_file *take_file, bool lent, struct error *error);

// Those of the address, which is written like `text`, or bound to it.
struct inherited_sockets {
    int *fds; // mem_free; one or more, of which each is another socket
    size_t count;
    struct address bound;
    struct socket_file file;
    bool lent;
};
bool inherited_take(struct inherited *inherited, const char *text, struct inherited_sockets *taken);
// What was not taken, by its name or its address.
void inherited_rest(const struct inherited *inherited,
                    void (*visit)(const char *name, bool lent, void *context), void *context);

#include "admin.h"

#include "admin_api.h"
#include "admin_server.h"
#include "base/log.h"
#include "base/secret.h"
#include "credentials.h"
#include "io/listen.h"
#include "proxy/handover.h"

#include <unistd.h>

struct admin {
    struct admin_server *server;
    struct inherited *const *inherited; // the daemon's; NULL there: there are none any more
    char *address;                      // as configured; NULL before the first commit
    char *token;                        // NULL: none
    struct socket_file socket;          // of a unix socket
    int fd;                             // the server's
    bool lent;                          // by a service manager, which keeps it open
};
struct admin_change {
    char *address; // NULL: stays
    char *token;
    struct tls_context *tls; // NULL: plain
    struct socket_file socket;
    struct address bound;
    int fd; // -1: the address stays
    bool adopted, lent;
};

struct admin *admin_new(struct control *control) {
    struct admin *admin = mem_zero(1, sizeof *admin);
    admin->server = admin_server_new(control->base, admin_api_handle, control);
    admin->inherited = &control->inherited;
    admin->fd = -1;
    return admin;
}

const char *admin_token(const struct admin *admin) {
    return admin->token;
}

void admin_free(struct admin *admin) {
    if (!admin)
        return;
    admin_server_free(admin->server);
    socket_file_remove(&admin->socket);
    mem_free(admin->address);
    secret_free(admin->token);
    mem_free(admin);
}

// Of several sockets one is enough: nobody is in a hurry here, and those that wait at the others are few.
static void adopt(struct admin_change *change, const char *text, struct inherited_sockets *sockets) {
    for (size_t i = 1; i < sockets->count; i++)
        close(sockets->fds[i]);
    change->fd = sockets->fds[0];
    change->bound = sockets->bound;
    change->socket = sockets->file;
    change->address = mem_copy_string(text);
    change->lent = sockets->lent;
    change->adopted = true;
    mem_free(sockets->fds);
}

static bool open_address(struct admin_change *change, const char *text, struct error *error) {
    struct address address;
    if (!address_parse(&address, text, error))
        return false;
    if (address.any.sa_family == AF_UNIX) // only its owner may use it
        change->fd = socket_file_listen(&change->socket, &address, 0600, error);
    else
        change->fd = listen_open(&address, false, error);
    if (change->fd < 0)
        return false;
    change->address = mem_copy_string(text);
    change->bound = address;
    if (address.any.sa_family != AF_UNIX) // port 0 has become another
        getsockname(change->fd, &change->bound.any, &change->bound.len);
    return true;
}

struct admin_change *admin_prepare(struct admin *admin, const struct config *config,
                                   const struct credentials *credentials, struct error *error) {
    struct admin_change *change = mem_zero(1, sizeof *change);
    change->fd = -1;
    bool ok = true;
    struct inherited_sockets sockets;
    bool stays = admin->address && strcmp(admin->address, config->admin.address) == 0;
    change->token = mem_copy_string(credentials->token);
    change->tls = credentials->admin ? tls_context_ref(credentials->admin) : NULL;
    if (!stays && *admin->inherited && inherited_take(*admin->inherited, config->admin.address, &sockets))
        adopt(change, config->admin.address, &sockets);
    else if (!stays)
        ok = open_address(change, config->admin.address, error);
    if (ok)
        return change;
    admin_abandon(change);
    return NULL;
}

void admin_abandon(struct admin_change *change) {
    if (change->fd >= 0)
        close(change->fd);
    if (change->adopted)
        socket_file_leave(&change->socket);
    else
        socket_file_remove(&change->socket);
    mem_free(change->address);
    secret_free(change->token);
    tls_context_unref(change->tls);
    mem_free(change);
}

static void open_new(struct admin *admin, struct admin_change *change) {
    char text[ADDRESS_TEXT];
    address_text(&change->bound, text);
    log_info("admin API open", "address=%s tls=%s token=%s", text, change->tls ? "yes" : "no",
             change->token ? "yes" : "no");
    admin_server_listen(admin->server, change->fd);
    socket_file_remove(&admin->socket);
    mem_free(admin->address);
    admin->address = change->address;
    admin->socket = change->socket;
    admin->fd = change->fd;
    admin->lent = change->lent;
}

void admin_commit(struct admin *admin, struct admin_change *change) {
    if (change->fd >= 0)
        open_new(admin, change);
    admin_server_secure(admin->server, change->tls);
    tls_context_unref(change->tls);
    secret_free(admin->token);
    admin->token = change->token;
    mem_free(change);
}

void admin_lend(const struct admin *admin, struct lent_listener *listener) {
    *listener = (struct lent_listener){
        .configured = admin->address,
        .fds = &admin->fd,
        .count = 1,
        .file = &admin->socket,
        .lent = admin->lent,
    };
}

void admin_pause(struct admin *admin, bool pause) {
    admin_server_pause(admin->server, pause);
}

void admin_leave(struct admin *admin, bool with_file) {
    if (with_file)
        socket_file_leave(&admin->socket);
    socket_file_remove(&admin->socket);
    admin_server_leave(admin->server);
}

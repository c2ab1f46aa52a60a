#include "admin.h"

#include "admin_api.h"
#include "admin_server.h"
#include "base/log.h"
#include "io/listen.h"
#include "io/socket_file.h"

#include <unistd.h>

struct admin {
    struct admin_server *server;
    char *address;             // as configured; NULL before the first commit
    char *token;               // NULL: none
    struct socket_file socket; // of a unix socket
};
struct admin_change {
    char *address; // NULL: stays
    char *token;
    struct socket_file socket;
    struct address bound;
    int fd; // -1: the address stays
};

struct admin *admin_new(struct control *control) {
    struct admin *admin = mem_zero(1, sizeof *admin);
    admin->server = admin_server_new(control->base, admin_api_handle, control);
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
    mem_free(admin->token);
    mem_free(admin);
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

struct admin_change *admin_prepare(struct admin *admin, const struct config *config, const char *token,
                                   struct error *error) {
    struct admin_change *change = mem_zero(1, sizeof *change);
    change->fd = -1;
    bool ok = true;
    change->token = mem_copy_string(token);
    if (!(admin->address && strcmp(admin->address, config->admin.address) == 0))
        ok = open_address(change, config->admin.address, error);
    if (ok)
        return change;
    admin_abandon(change);
    return NULL;
}

void admin_abandon(struct admin_change *change) {
    if (change->fd >= 0)
        close(change->fd);
    socket_file_remove(&change->socket);
    mem_free(change->address);
    mem_free(change->token);
    mem_free(change);
}

static bool only_here(const struct address *address) {
    char host[ADDRESS_TEXT];
    address_host(address, host);
    return address->any.sa_family == AF_UNIX || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static void open_new(struct admin *admin, struct admin_change *change) {
    char text[ADDRESS_TEXT];
    address_text(&change->bound, text);
    log_info("admin API open", "address=%s token=%s", text, change->token ? "yes" : "no");
    if (!change->token && !only_here(&change->bound))
        log_warn("admin API can be read from the network; without token_file it changes nothing from there",
                 "address=%s", text);
    admin_server_listen(admin->server, change->fd);
    socket_file_remove(&admin->socket);
    mem_free(admin->address);
    admin->address = change->address;
    admin->socket = change->socket;
}

void admin_commit(struct admin *admin, struct admin_change *change) {
    if (change->fd >= 0)
        open_new(admin, change);
    mem_free(admin->token);
    admin->token = change->token;
    mem_free(change);
}

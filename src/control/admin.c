#include "admin.h"

#include "admin_api.h"
#include "admin_server.h"
#include "base/log.h"
#include "io/listen.h"
#include "token.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct admin {
    struct admin_server *server;
    char *address; // as configured; NULL before the first commit
    char *token;   // NULL: none
    char *socket;  // path of the unix socket, or NULL
    ino_t inode;   // of it: what somebody else has put there meanwhile is not ours to remove
};
struct admin_change {
    char *address; // NULL: stays
    char *token;
    char *socket;
    ino_t inode;
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

static void remove_socket(const char *path, ino_t inode) {
    struct stat info;
    if (path && lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) && info.st_ino == inode)
        unlink(path);
}

void admin_free(struct admin *admin) {
    if (!admin)
        return;
    admin_server_free(admin->server);
    remove_socket(admin->socket, admin->inode);
    mem_free(admin->address);
    mem_free(admin->token);
    mem_free(admin->socket);
    mem_free(admin);
}

// A socket that nobody listens on was left by a process that ended hard; it stands in the way of bind.
static bool clear_stale(const struct address *address, const char *path, struct error *error) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return true;
    if (!S_ISSOCK(info.st_mode))
        return error_set(error, "cannot listen on unix:%s: there is a file of that name", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, &address->any, address->len) != 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    if (!refused)
        return error_set(error, "cannot listen on unix:%s: the address is already in use", path);
    unlink(path);
    return true;
}

static int open_unix(struct admin_change *change, const struct address *address, struct error *error) {
    struct stat info;
    if (!clear_stale(address, change->socket, error))
        return -1;
    mode_t before = umask(0177); // from its first moment only its owner may use it
    int fd = listen_open(address, false, error);
    umask(before);
    if (fd >= 0 && lstat(change->socket, &info) == 0)
        change->inode = info.st_ino;
    return fd;
}

static bool open_address(struct admin_change *change, const char *text, struct error *error) {
    struct address address;
    if (!address_parse(&address, text, error))
        return false;
    if (address.any.sa_family == AF_UNIX) {
        change->socket = mem_copy_string(address.unix_path.sun_path);
        change->fd = open_unix(change, &address, error);
    } else {
        change->fd = listen_open(&address, false, error);
    }
    if (change->fd < 0)
        return false;
    change->address = mem_copy_string(text);
    change->bound = address;
    if (address.any.sa_family != AF_UNIX) // port 0 has become another
        getsockname(change->fd, &change->bound.any, &change->bound.len);
    return true;
}

struct admin_change *admin_prepare(struct admin *admin, const struct config *config, struct error *error) {
    struct admin_change *change = mem_zero(1, sizeof *change);
    change->fd = -1;
    bool ok = true;
    if (config->admin.token_file) {
        change->token = token_read(config->admin.token_file, error);
        ok = change->token != NULL;
    }
    if (ok && !(admin->address && strcmp(admin->address, config->admin.address) == 0))
        ok = open_address(change, config->admin.address, error);
    if (ok)
        return change;
    admin_abandon(change);
    return NULL;
}

void admin_abandon(struct admin_change *change) {
    if (change->fd >= 0) {
        close(change->fd);
        remove_socket(change->socket, change->inode);
    }
    mem_free(change->address);
    mem_free(change->token);
    mem_free(change->socket);
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
    remove_socket(admin->socket, admin->inode);
    mem_free(admin->address);
    mem_free(admin->socket);
    admin->address = change->address;
    admin->socket = change->socket;
    admin->inode = change->inode;
}

void admin_commit(struct admin *admin, struct admin_change *change) {
    if (change->fd >= 0)
        open_new(admin, change);
    mem_free(admin->token);
    admin->token = change->token;
    mem_free(change);
}

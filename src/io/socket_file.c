#include "io/socket_file.h"
#include "base/mem.h"
#include "io/listen.h"
#include <errno.h>
#include <unistd.h>

static bool refuse(const char *path, const char *why, struct error *error) {
    return error_set(error, "cannot listen on unix:%s: %s", path, why);
}

// A socket that nobody listens on was left by a process that ended hard; it stands in the way of bind.
static bool clear_stale(const struct address *address, struct error *error) {
    const char *path = address->unix_path.sun_path;
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT || refuse(path, strerror(errno), error);
    if (!S_ISSOCK(info.st_mode))
        return refuse(path, "there is a file of that name", error);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return refuse(path, strerror(errno), error);
    int code = connect(fd, &address->any, address->len) == 0 ? 0 : errno;
    close(fd);
    if (code == 0 || code == EAGAIN) // EAGAIN: its queue is full
        return refuse(path, "the address is already in use", error);
    if (code != ECONNREFUSED) // perhaps somebody listens
        return refuse(path, strerror(code), error);
    if (unlink(path) != 0)
        return refuse(path, strerror(errno), error);
    return true;
}

static bool is_ours(const struct socket_file *file) {
    struct stat info;
    return file->path && lstat(file->path, &info) == 0 && S_ISSOCK(info.st_mode) &&
           info.st_dev == file->device && info.st_ino == file->inode;
}

int socket_file_listen(struct socket_file *file, const struct address *address, mode_t mode,
                       struct error *error) {
    struct stat info;
    *file = (struct socket_file){0};
    if (!clear_stale(address, error))
        return -1;
    mode_t before = umask(0777 & ~mode);
    int fd = listen_open(address, false, error);
    umask(before);
    if (fd < 0)
        return -1;
    if (lstat(address->unix_path.sun_path, &info) != 0) {
        refuse(address->unix_path.sun_path, strerror(errno), error);
        close(fd);
        return -1;
    }
    *file = (struct socket_file){mem_copy_string(address->unix_path.sun_path), info.st_dev, info.st_ino};
    return fd;
}

bool socket_file_set_mode(const struct socket_file *file, mode_t mode) {
    if (is_ours(file))
        return chmod(file->path, mode) == 0;
    errno = ENOENT;
    return false;
}

void socket_file_remove(struct socket_file *file) {
    if (is_ours(file))
        unlink(file->path);
    socket_file_leave(file);
}

void socket_file_leave(struct socket_file *file) {
    mem_free(file->path);
    file->path = NULL;
}

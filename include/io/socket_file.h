// socket_file: a listening unix socket and its file: made with its mode from the first moment, a file that a
// dead process left is replaced, and only our own is removed. Owner: the embedding object; control thread
// (making one changes the process's umask for a moment).
#pragma once
#include "io/address.h"
#include <sys/stat.h>

struct socket_file {
    char *path; // NULL: there is none
    dev_t device;
    ino_t inode; // what somebody else has put there meanwhile is not ours to remove
};

// Listens at the address, which is a unix socket's. -1 and *error (names the address) when somebody listens
// there, when it is a file of another kind, or on failure; then there is no file.
int socket_file_listen(struct socket_file *file, const struct address *address, mode_t mode,
                       struct error *error);
bool socket_file_set_mode(const struct socket_file *file, mode_t mode); // false: errno is set
void socket_file_remove(struct socket_file *file);                      // nothing when there is none
void socket_file_leave(struct socket_file *file);                       // its removal is somebody else's now

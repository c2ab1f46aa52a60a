#include "port.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENING 0x0a // of the column st in /proc/net/tcp

// The inode of a socket that listens on the port, 0 when there is none.
static unsigned long find_inode(const char *table, unsigned port) {
    char line[512];
    unsigned long inode = 0;
    FILE *file = fopen(table, "re");
    while (file && !inode && fgets(line, sizeof line, file)) {
        unsigned local, state;
        unsigned long found;
        // NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers that fit
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f:] %x %*s %*s %*s %*s %*s %lu", &local, &state,
                   &found) == 3 &&
            local == port && state == LISTENING)
            inode = found;
    }
    if (file)
        fclose(file);
    return inode;
}

static bool holds(const char *pid, unsigned long inode) {
    char path[512], wanted[64], target[64];
    bool held = false;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && !held && (entry = readdir(folder));) {
        snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid, entry->d_name);
        ssize_t len = readlink(path, target, sizeof target - 1);
        target[len > 0 ? len : 0] = '\0';
        held = strcmp(target, wanted) == 0;
    }
    if (folder)
        closedir(folder);
    return held;
}

static void read_name(const char *pid, char *name, int size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *file = fopen(path, "re");
    if (!file || !fgets(name, size, file))
        snprintf(name, (size_t)size, "?");
    name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
}

// "nginx (pid 123)", or another program when /proc does not tell.
static void find_holder(unsigned port, char *text, size_t size) {
    unsigned long inode = find_inode("/proc/net/tcp", port);
    bool found = false;
    snprintf(text, size, "another program");
    if (!inode && !(inode = find_inode("/proc/net/tcp6", port)))
        return;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && !found && (entry = readdir(processes));) {
        char name[64];
        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name) || !holds(entry->d_name, inode))
            continue;
        read_name(entry->d_name, name, sizeof name);
        snprintf(text, size, "%s (pid %.20s)", name, entry->d_name);
        found = true;
    }
    if (processes)
        closedir(processes);
}

bool port_settle(const char *address, unsigned *port, const char *option, struct error *error) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)*port)};
    socklen_t len = sizeof where;
    char holder[128];
    int one = 1;
    if (inet_pton(AF_INET, address, &where.sin_addr) != 1)
        return error_set(error, "%s is not an IPv4 address", address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // As the proxy does, so that connections that have only just ended are no hindrance.
    bool good = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                bind(fd, (struct sockaddr *)&where, len) == 0 && listen(fd, 1) == 0 &&
                getsockname(fd, (struct sockaddr *)&where, &len) == 0;
    int code = errno;
    if (fd >= 0)
        close(fd);
    if (good) {
        *port = ntohs(where.sin_port);
        return true;
    }
    if (code != EADDRINUSE)
        return error_set(error, "cannot listen on %s:%u: %s; choose another port with %s N", address, *port,
                         strerror(code), option);
    find_holder(*port, holder, sizeof holder);
    return error_set(error, "port %u is taken by %s; choose another with %s N", *port, holder, option);
}

#include "io/inherited.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/listen.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct entry {
    struct link link;
    char *name; // NULL: not known
    struct inherited_sockets sockets;
};
struct inherited {
    struct link entries;
};

struct inherited *inherited_new(void) {
    struct inherited *inherited = mem_zero(1, sizeof *inherited);
    list_init(&inherited->entries);
    return inherited;
}

static void entry_free(struct entry *entry) {
    list_remove(&entry->link);
    mem_free(entry->name);
    mem_free(entry);
}

static void close_all(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

void inherited_free(struct inherited *inherited) {
    if (!inherited)
        return;
    while (!list_empty(&inherited->entries)) {
        struct entry *entry = list_entry(inherited->entries.next, struct entry, link);
        close_all(entry->sockets.fds, entry->sockets.count);
        mem_free(entry->sockets.fds);
        socket_file_leave(&entry->sockets.file);
        entry_free(entry);
    }
    mem_free(inherited);
}

static bool is_listening(int fd) {
    int listening = 0, type = 0;
    socklen_t size = sizeof listening, type_size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0 && type == SOCK_STREAM;
}

// Whoever passed it may have it in another mode.
static bool make_ours(int fd) {
    int flags = fcntl(fd, F_GETFL);
    if (!is_listening(fd) || flags < 0)
        return false;
    listen_tune(fd);
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool bound_to(int fd, struct address *address) {
    memset(address, 0, sizeof *address);
    address->len = sizeof *address - offsetof(struct address, any);
    if (getsockname(fd, &address->any, &address->len) != 0)
        return false;
    int family = address->any.sa_family;
    return family == AF_INET || family == AF_INET6 || (family == AF_UNIX && address->unix_path.sun_path[0]);
}

static bool same_address(const struct address *a, const struct address *b) {
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_UNIX)
        return strcmp(a->unix_path.sun_path, b->unix_path.sun_path) == 0;
    char left[ADDRESS_TEXT], right[ADDRESS_TEXT];
    address_text(a, left);
    address_text(b, right);
    return strcmp(left, right) == 0;
}

// Of the same address: sockets of SO_REUSEPORT that came one by one.
static struct entry *known(struct inherited *inherited, const char *name, const struct address *bound) {
    for (struct link *at = inherited->entries.next; at != &inherited->entries; at = at->next) {
        struct entry *entry = list_entry(at, struct entry, link);
        bool same_name = entry->name ? name && strcmp(entry->name, name) == 0 : !name;
        if (same_name && same_address(&entry->sockets.bound, bound))
            return entry;
    }
    return NULL;
}

static void append(struct inherited_sockets *sockets, const int *fds, size_t count) {
    sockets->fds = mem_resize(sockets->fds, (sockets->count + count) * sizeof *fds);
    memcpy(sockets->fds + sockets->count, fds, count * sizeof *fds);
    sockets->count += count;
}

bool inherited_add(struct inherited *inherited, const char *name, const int *fds, size_t count,
                   struct socket_file *take_file, bool lent, struct error *error) {
    struct address bound;
    bool good = count > 0;
    for (size_t i = 0; good && i < count; i++)
        good = make_ours(fds[i]);
    if (!good || !bound_to(fds[0], &bound)) {
        close_all(fds, count);
        socket_file_leave(take_file);
        return error_set(error, "it does not listen at a TCP address or the path of a unix socket");
    }
    struct entry *entry = known(inherited, name, &bound);
    if (entry) {
        socket_file_leave(take_file);
    } else {
        entry = mem_zero(1, sizeof *entry);
        entry->name = mem_copy_string(name);
        entry->sockets = (struct inherited_sockets){.bound = bound, .file = *take_file, .lent = lent};
        *take_file = (struct socket_file){0};
        list_push(&inherited->entries, &entry->link);
    }
    append(&entry->sockets, fds, count);
    return true;
}

bool inherited_take(struct inherited *inherited, const char *text, struct inherited_sockets *taken) {
    struct address wanted;
    struct error ignored;
    struct entry *found = NULL;
    bool numeric = address_parse(&wanted, text, &ignored);
    for (struct link *at = inherited->entries.next; at != &inherited->entries; at = at->next) {
        struct entry *entry = list_entry(at, struct entry, link);
        bool named = entry->name && strcmp(entry->name, text) == 0;
        if (named || (!found && numeric && same_address(&entry->sockets.bound, &wanted)))
            found = entry; // port 0 became another: the name decides first
    }
    if (!found)
        return false;
    *taken = found->sockets;
    entry_free(found);
    return true;
}

void inherited_rest(const struct inherited *inherited,
                    void (*visit)(const char *name, bool lent, void *context), void *context) {
    char text[ADDRESS_TEXT];
    for (struct link *at = inherited->entries.next; at != &inherited->entries; at = at->next) {
        const struct entry *entry = list_entry(at, struct entry, link);
        address_text(&entry->sockets.bound, text);
        visit(entry->name ? entry->name : text, entry->sockets.lent, context);
    }
}

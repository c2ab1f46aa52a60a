#include "channel.h"

#include "base/list.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (64 << 10) // more than CHANNEL_BYTES

struct unsent {
    struct link link;
    size_t fd_count, len;
    int fds[CHANNEL_FDS];
    char text[];
};
struct channel {
    int fd;
    struct event *readable, *writable;
    struct link unsent;
    void (*heard)(const struct channel_mail *mail, void *context);
    void (*ended)(void *context);
    void *context;
    bool over, busy, dropped; // busy: in a call of ours; dropped: freed meanwhile
    char *text;
};

bool channel_pair(int fds[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0;
}

static void unsent_free(struct unsent *unsent) {
    for (size_t i = 0; i < unsent->fd_count; i++)
        close(unsent->fds[i]);
    mem_free(unsent);
}

static void destroy(struct channel *channel) {
    for (struct link *link; (link = list_pop(&channel->unsent)) != NULL;)
        unsent_free(list_entry(link, struct unsent, link));
    event_free(channel->readable);
    event_free(channel->writable);
    close(channel->fd);
    mem_free(channel->text);
    mem_free(channel);
}

void channel_free(struct channel *channel) {
    if (!channel)
        return;
    channel->dropped = true;
    if (!channel->busy)
        destroy(channel);
}

// ---- sending

// 1: sent; 0: later; -1: nobody is there.
static int try_to_send(int fd, struct slice text, const int *fds, size_t fd_count) {
    union {
        char bytes[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec piece = {(void *)(uintptr_t)text.at, text.len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (fd_count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        struct cmsghdr *header = &control.align; // what CMSG_FIRSTHDR() gives here
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof *fds);
    }
    while (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
            return 0;
        if (errno != EINTR)
            return -1;
    }
    return 1;
}

static void on_writable(int fd, short what, void *context) {
    (void)what;
    struct channel *channel = context;
    while (!list_empty(&channel->unsent)) {
        struct unsent *next = list_entry(channel->unsent.next, struct unsent, link);
        if (try_to_send(fd, slice_make(next->text, next->len), next->fds, next->fd_count) == 0)
            return;
        list_remove(&next->link);
        unsent_free(next);
    }
    event_del(channel->writable);
}

static void keep(struct channel *channel, struct slice text, const int *fds, size_t fd_count) {
    struct unsent *unsent = mem_zero(1, sizeof *unsent + text.len);
    memcpy(unsent->text, text.at, text.len);
    unsent->len = text.len;
    for (size_t i = 0; i < fd_count; i++) {
        int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (copy >= 0)
            unsent->fds[unsent->fd_count++] = copy;
    }
    list_push(&channel->unsent, &unsent->link);
    must(event_add(channel->writable, NULL) == 0);
}

bool channel_send(struct channel *channel, struct slice text, const int *fds, size_t fd_count) {
    if (text.len == 0 || text.len > CHANNEL_BYTES || fd_count > CHANNEL_FDS)
        return false;
    if (!channel->over &&
        (!list_empty(&channel->unsent) || try_to_send(channel->fd, text, fds, fd_count) == 0))
        keep(channel, text, fds, fd_count);
    return true;
}

// ---- receiving

static size_t take_fds(struct msghdr *message, int fds[CHANNEL_FDS]) {
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds + count, CMSG_DATA(header), more * sizeof(int)); // the room that was given is not passed
        count += more;
    }
    return count;
}

static void end(struct channel *channel) {
    channel->over = true;
    event_del(channel->readable);
    event_del(channel->writable);
    channel->ended(channel->context);
}

// False: there is nothing more for now.
static bool hear(struct channel *channel) {
    union {
        char bytes[CMSG_SPACE(CHANNEL_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    int fds[CHANNEL_FDS];
    struct iovec piece = {channel->text, ROOM};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n <= 0) {
        end(channel);
        return false;
    }
    struct channel_mail mail = {slice_make(channel->text, (size_t)n), fds, take_fds(&message, fds)};
    channel->heard(&mail, channel->context);
    return true;
}

static void on_readable(int fd, short what, void *context) {
    (void)fd, (void)what;
    struct channel *channel = context;
    channel->busy = true;
    while (!channel->dropped && !channel->over && hear(channel))
        ;
    channel->busy = false;
    if (channel->dropped)
        destroy(channel);
}

bool channel_wait(struct channel *channel, int timeout_ms) {
    struct pollfd look = {.fd = channel->fd, .events = POLLIN};
    if (channel->over || poll(&look, 1, timeout_ms) <= 0)
        return channel->over;
    channel->busy = true;
    hear(channel);
    channel->busy = false;
    if (channel->dropped)
        destroy(channel);
    return true;
}

struct channel *channel_new(struct event_base *base, int take_fd,
                            void (*heard)(const struct channel_mail *mail, void *context),
                            void (*ended)(void *context), void *context) {
    struct channel *channel = mem_zero(1, sizeof *channel);
    *channel = (struct channel){.fd = take_fd, .heard = heard, .ended = ended, .context = context};
    channel->text = mem_alloc(ROOM);
    list_init(&channel->unsent);
    channel->readable = event_new(base, take_fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, take_fd, EV_WRITE | EV_PERSIST, on_writable, channel);
    must(channel->readable && channel->writable && event_add(channel->readable, NULL) == 0);
    return channel;
}

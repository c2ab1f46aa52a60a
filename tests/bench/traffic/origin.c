// The model server of the comparison (compare.py): one thread that answers with as little work as possible,
// so that the proxy is what is measured. `origin COUNT` listens on COUNT ports of the kernel's choice and
// prints them on one line.
//   GET /b/BYTES           an answer of so many bytes, with Content-Length
//   GET /sse/EVENTS/GAP_MS a stream of events, chunked; each tells when it was sent (CLOCK_MONOTONIC, ns)
//   POST                   reads a body of Content-Length bytes away, then answers as /b/2
#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MOST   4096
#define SMALL_MOST  65536    // an answer up to here is one send; a larger one comes from a file in memory
#define FILE_BYTES  67108864 // of which larger answers are made
#define ACCEPT_MOST 64       // connections in one go

struct peer {
    int fd;
    bool listens, ends, gone;
    bool queued;          // in the queue of streams
    struct peer *next;    // there
    uint64_t due, gap;    // of the next event, ns
    unsigned events_left; // of its stream
    long body_left;       // of the request, to be read away
    long answer_left;     // of a large answer
    off_t position;       // in the file
    size_t got;           // of the head
    char head[HEAD_MOST + 1];
};

static int epoll, file;
static struct peer *first_due, *last_due; // streams have one gap in a run, so that the queue is in order
static char small[SMALL_MOST + 256];      // the last small answer, as it is sent
static long small_bytes = -1;
static size_t small_length;

// Freed when nothing refers to it any more: a stream's peer by the queue.
static void leave(struct peer *peer) {
    if (!peer->gone)
        close(peer->fd);
    peer->gone = true;
    if (!peer->queued)
        free(peer);
}

static int head_of(char *out, size_t room, long bytes) {
    return snprintf(out, room,
                    "HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: application/octet-stream\r\n"
                    "Content-Length: %ld\r\n\r\n",
                    bytes);
}

// The functions below return false when the peer has left.
static bool go_on_large(struct peer *peer) {
    while (peer->answer_left > 0) {
        if (peer->position >= FILE_BYTES)
            peer->position = 0;
        size_t most = (size_t)(FILE_BYTES - peer->position);
        size_t want = (size_t)peer->answer_left < most ? (size_t)peer->answer_left : most;
        ssize_t sent = sendfile(peer->fd, file, &peer->position, want);
        if (sent < 0 && errno == EAGAIN)
            return true;
        if (sent <= 0) {
            leave(peer);
            return false;
        }
        peer->answer_left -= sent;
    }
    if (!peer->ends)
        return true;
    leave(peer);
    return false;
}

static bool answer(struct peer *peer, long bytes) {
    if (bytes > SMALL_MOST) {
        char head[256];
        int length = head_of(head, sizeof head, bytes);
        if (send(peer->fd, head, (size_t)length, MSG_NOSIGNAL | MSG_MORE) != length) {
            leave(peer);
            return false;
        }
        peer->answer_left = bytes;
        peer->position = 0;
        return go_on_large(peer);
    }
    if (bytes != small_bytes) {
        small_length = (size_t)head_of(small, sizeof small, bytes);
        memset(small + small_length, 'x', (size_t)bytes);
        small_length += (size_t)bytes;
        small_bytes = bytes;
    }
    if (send(peer->fd, small, small_length, MSG_NOSIGNAL) != (ssize_t)small_length || peer->ends) {
        leave(peer);
        return false;
    }
    return true;
}

static void queue(struct peer *peer) {
    peer->next = NULL;
    peer->queued = true;
    if (last_due)
        last_due->next = peer;
    else
        first_due = peer;
    last_due = peer;
}

static bool send_event(struct peer *peer, uint64_t now) {
    char event[160], chunk[256];
    int length = snprintf(event, sizeof event,
                          "data: {\"t\":%019llu,\"d\":\"token-%06u abcdefghijklmnopqrstuvwxyz\"}\n\n",
                          (unsigned long long)now, peer->events_left);
    peer->events_left--;
    int all = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n%s", (unsigned)length, event,
                       peer->events_left ? "" : "0\r\n\r\n");
    if (send(peer->fd, chunk, (size_t)all, MSG_NOSIGNAL) != all || (!peer->events_left && peer->ends)) {
        leave(peer);
        return false;
    }
    peer->due += peer->gap;
    if (peer->events_left)
        queue(peer);
    return true;
}

static bool stream(struct peer *peer, const char *numbers) {
    static const char head[] =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "X-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";
    char *end;
    peer->events_left = (unsigned)strtoul(numbers, &end, 10);
    peer->gap = strtoul(end + 1, NULL, 10) * (SECOND / 1000);
    peer->due = wire_now();
    if (send(peer->fd, head, sizeof head - 1, MSG_NOSIGNAL | MSG_MORE) != sizeof head - 1) {
        leave(peer);
        return false;
    }
    return send_event(peer, peer->due);
}

static bool request(struct peer *peer) {
    peer->ends = strcasestr(peer->head, "\r\nConnection: close\r\n") != NULL;
    if (strncmp(peer->head, "GET /sse/", 9) == 0)
        return stream(peer, peer->head + 9);
    if (strncmp(peer->head, "GET /b/", 7) == 0)
        return answer(peer, strtol(peer->head + 7, NULL, 10));
    const char *length = strcasestr(peer->head, "\r\nContent-Length:");
    peer->body_left = length ? strtol(length + 17, NULL, 10) : 0;
    return peer->body_left > 0 || answer(peer, 2);
}

// Everything that is there: heads, and bodies thrown away by the kernel.
static void read_all(struct peer *peer) {
    static char away[1 << 20];
    for (;;) {
        bool body = peer->body_left > 0;
        char *to = body ? away : peer->head + peer->got;
        size_t room = body ? sizeof away : HEAD_MOST - peer->got;
        if (body && (size_t)peer->body_left < room)
            room = (size_t)peer->body_left;
        ssize_t got = recv(peer->fd, to, room, body ? MSG_TRUNC : 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            leave(peer);
            return;
        }
        if (body) {
            peer->body_left -= got;
            if (peer->body_left == 0 && !answer(peer, 2))
                return;
            continue;
        }
        peer->got += (size_t)got;
        peer->head[peer->got] = 0;
        char *end = strstr(peer->head, "\r\n\r\n");
        if (!end)
            continue;
        // Clients here wait for each answer: what follows the head is the body's beginning.
        long rest = (long)(peer->head + peer->got - (end + 4));
        end[2] = 0;
        peer->got = 0;
        if (!request(peer))
            return;
        if (peer->body_left > 0 && (peer->body_left -= rest) == 0 && !answer(peer, 2))
            return;
    }
}

static void accept_all(const struct peer *listener) {
    for (int i = 0; i < ACCEPT_MOST; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        wire_no_delay(fd);
        struct peer *peer = calloc(1, sizeof *peer);
        if (!peer)
            wire_fail("calloc");
        peer->fd = fd;
        wire_watch(epoll, fd, peer);
    }
}

static void send_due(void) {
    for (uint64_t now = wire_now(); first_due && first_due->due <= now; now = wire_now()) {
        struct peer *peer = first_due;
        first_due = peer->next;
        if (!first_due)
            last_due = NULL;
        peer->queued = false;
        if (peer->gone)
            free(peer);
        else
            send_event(peer, now);
    }
}

static void handle(struct peer *peer, uint32_t events) {
    if (peer->listens)
        accept_all(peer);
    else if (!peer->gone && (!(events & EPOLLOUT) || peer->answer_left == 0 || go_on_large(peer)))
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            read_all(peer);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: origin COUNT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    wire_many_files();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    file = memfd_create("body", MFD_CLOEXEC);
    if (epoll < 0 || file < 0 || ftruncate(file, FILE_BYTES) != 0)
        wire_fail("origin");
    for (int i = atoi(argv[1]); i > 0; i--) {
        uint16_t port;
        struct peer *listener = calloc(1, sizeof *listener);
        if (!listener)
            wire_fail("calloc");
        listener->fd = wire_listen(&port);
        listener->listens = true;
        wire_watch_listener(epoll, listener->fd, listener);
        printf("%u%c", port, i > 1 ? ' ' : '\n');
    }
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        struct timespec wait = {0, 0};
        if (first_due) {
            uint64_t now = wire_now(), left = first_due->due > now ? first_due->due - now : 0;
            wait = (struct timespec){(time_t)(left / SECOND), (long)(left % SECOND)};
        }
        int count = epoll_pwait2(epoll, events, 256, first_due ? &wait : NULL, NULL);
        for (int i = 0; i < count; i++)
            handle(events[i].data.ptr, events[i].events);
        send_due();
    }
}

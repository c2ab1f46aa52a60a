#include "listener.h"
#include "base/log.h"
#include "crew.h"
#include "io/descriptors.h"
#include "io/liveness.h"
#include "proxy/own_error.h"
#include "session.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Connections taken per event, so that a burst does not starve the others.
#define ACCEPT_BATCH 64
// The kernel can give no connection at all: accepting pauses this long.
#define PAUSE_MS 100
// The kernel keeps a connection whose client says nothing to itself for so long.
#define DEFER_SECONDS 5
// Of a refused client's request, in one step.
#define REFUSED_BYTES 16384

static void resume(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct worker *worker = context;
    for (struct link *at = worker->listeners.next; at != &worker->listeners; at = at->next)
        event_add(&list_entry(at, struct listener, link)->event, NULL);
}

static void pause_all(struct worker *worker, int code) {
    for (struct link *at = worker->listeners.next; at != &worker->listeners; at = at->next)
        event_del(&list_entry(at, struct listener, link)->event);
    struct timeval pause = {.tv_usec = PAUSE_MS * 1000};
    event_add(&worker->accept_pause, &pause);
    log_warn("accepting paused", "reason=\"%s\" worker=%u", strerror(code), worker->index);
}

// Too many: told so, as far as the socket takes it without waiting (under TLS nothing can be said yet).
static void refuse(struct listener *listener, int fd) {
    struct worker *worker = listener->worker;
    char busy[512];
    const char *name = own_error_name(OWN_ERROR_CONNECTIONS), *text = own_error_text(OWN_ERROR_CONNECTIONS);
    int len =
        snprintf(busy, sizeof busy,
                 "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: %zu\r\nX-Sluice-Error: %s\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
                 "%s (%s)\n",
                 strlen(text) + strlen(name) + 4, name, text, name);
    counter_add(&worker->refused[REFUSED_CONNECTIONS], 1);
    if (!listener->front->tls && send(fd, busy, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        log_debug("a refused connection was not told so", "error=%s", strerror(errno));
    // What is here of a request is taken away: unread, it would make the end a reset, and the answer with it.
    char unread[REFUSED_BYTES];
    while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) == (ssize_t)sizeof unread)
        ;
    close(fd);
}

// ---- without a descriptor

static int spare_new(const struct worker *worker) {
    return fcntl(worker->mailbox.wake_fd, F_DUPFD_CLOEXEC, 3);
}

// The spare one is given up for as long as a client takes to be refused. 0, or why there was nobody to
// refuse: without a descriptor accept does not even look whether there is.
static int refuse_by_spare(struct listener *listener) {
    struct worker *worker = listener->worker;
    if (worker->spare_fd < 0)
        worker->spare_fd = spare_new(worker);
    if (worker->spare_fd < 0)
        return errno;
    close(worker->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), code = errno;
    if (fd >= 0)
        refuse(listener, fd);
    worker->spare_fd = spare_new(worker);
    if (fd < 0)
        return code;
    log_rationed(&worker->accept_log, worker->now_ns, "no file descriptor is left, a connection was refused",
                 "worker=%u", worker->index);
    return 0;
}

// accept failed. True: another may be tried.
static bool not_accepted(struct listener *listener, int code) {
    if (descriptors_short(code))
        code = refuse_by_spare(listener);
    if (descriptors_short(code) || code == ENOBUFS || code == ENOMEM)
        pause_all(listener->worker, code);
    return code == 0 || code == EINTR || code == ECONNABORTED;
}

static bool surplus(const struct worker *worker, int fd) {
    return fd >= crew_descriptors(worker->plane)->data ||
           crew_full(worker->plane, worker->hold->plan->config->limits.connections);
}

// Takes up to `most` waiting connections. False: there are none any more.
static bool accept_some(struct listener *listener, unsigned most) {
    struct worker *worker = listener->worker;
    for (unsigned i = 0; i < most; i++) {
        struct address peer = {.len = sizeof peer - offsetof(struct address, any)};
        int fd = accept4(listener->fd, &peer.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (not_accepted(listener, errno))
                continue;
            return false;
        }
        if (surplus(worker, fd))
            refuse(listener, fd);
        else
            session_open(worker, listener->front, fd, &peer);
    }
    return true;
}

static void acceptable(int fd, short what, void *context) {
    (void)fd;
    (void)what;
    struct listener *listener = context;
    struct worker *worker = listener->worker;
    worker_enter(worker);
    accept_some(listener, ACCEPT_BATCH);
    worker_leave(worker);
}

void listener_init(struct worker *worker) {
    event_assign(&worker->accept_pause, worker->base, -1, 0, resume, worker);
    worker->spare_fd = spare_new(worker);
}

// What accepted connections inherit, of the plan and the front in force. A unix socket knows none of it.
static void configure(const struct listener *listener) {
    int seconds = listener->front->defer_accept ? DEFER_SECONDS : 0;
    setsockopt(listener->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    liveness_set(listener->fd, listener->worker->hold->plan->config->timeouts.tcp_user);
}

void listener_open(struct worker *worker, const struct listener_order *order) {
    struct listener *listener = mem_zero(1, sizeof *listener);
    listener->worker = worker;
    listener->id = order->id;
    listener->fd = order->fd;
    listener->front = order->front;
    configure(listener);
    list_push(&worker->listeners, &listener->link);
    event_assign(&listener->event, worker->base, listener->fd, EV_READ | EV_PERSIST, acceptable, listener);
    must(event_add(&listener->event, NULL) == 0);
}

static void listener_leave(struct listener *listener) {
    event_del(&listener->event);
    close(listener->fd);
    front_unref(listener->front);
    list_remove(&listener->link);
    mem_free(listener);
}

static void listener_close(struct listener *listener) {
    // Connections that the kernel has completed belong to this very socket: they are served, not reset.
    while (accept_some(listener, ACCEPT_BATCH))
        ;
    listener_leave(listener);
}

void listener_settings(struct worker *worker, const struct listener_order *order) {
    for (struct link *at = worker->listeners.next; at != &worker->listeners; at = at->next) {
        struct listener *listener = list_entry(at, struct listener, link);
        if (listener->id != order->id)
            continue;
        front_unref(listener->front);
        listener->front = front_ref(order->front);
        configure(listener);
    }
    front_unref(order->front);
}

static void close_id(struct worker *worker, unsigned id, void (*how)(struct listener *listener)) {
    struct link *next;
    for (struct link *at = worker->listeners.next; at != &worker->listeners; at = next) {
        next = at->next;
        struct listener *listener = list_entry(at, struct listener, link);
        if (listener->id == id)
            how(listener);
    }
}

void listener_close_id(struct worker *worker, unsigned id) {
    close_id(worker, id, listener_close);
}

void listener_leave_id(struct worker *worker, unsigned id) {
    close_id(worker, id, listener_leave);
}

void listener_close_all(struct worker *worker) {
    while (!list_empty(&worker->listeners))
        listener_close(list_entry(worker->listeners.next, struct listener, link));
}

void listener_discard(const struct listener_order *order) {
    close(order->fd);
    front_unref(order->front);
}

void listener_finish(struct worker *worker) {
    listener_close_all(worker);
    event_del(&worker->accept_pause);
    if (worker->spare_fd >= 0)
        close(worker->spare_fd);
}

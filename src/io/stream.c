#include "io/stream.h"
#include "tls_inside.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

bool stream_open(struct stream *stream, struct event_base *base, int fd, stream_callback *happened,
                 void *context) {
    stream->fd = fd;
    stream->readable = stream->hangup = stream->deaf = stream->truncated = false;
    stream->tls = NULL;
    event_assign(&stream->event, base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, happened,
                 context);
    return event_add(&stream->event, NULL) == 0;
}

void stream_close(struct stream *stream) {
    if (stream->fd < 0)
        return;
    event_del(&stream->event);
    close(stream->fd);
    stream->fd = -1;
    if (stream->tls)
        tls_free(stream->tls);
    stream->tls = NULL;
}

void stream_finish(struct stream *stream) {
    if (stream->tls)
        tls_finish(stream);
    else
        shutdown(stream->fd, SHUT_WR);
}

bool stream_unsent(const struct stream *stream) {
    return stream->tls && tls_unsent(stream->tls);
}

void stream_noted(struct stream *stream, short what) {
    if (what & (EV_READ | EV_CLOSED))
        stream->readable = true;
    if (what & EV_CLOSED)
        stream->hangup = true;
    if (stream->tls)
        tls_noted(stream, what);
}

static enum stream_result socket_read(struct stream *stream, char *at, size_t room, int flags, size_t *got) {
    for (;;) {
        ssize_t n = recv(stream->fd, at, room, flags);
        if (n > 0) {
            *got = (size_t)n;
            // A short read has emptied the socket; the next byte brings a new edge. The end of the stream
            // does not when it came together with these bytes: then `hangup` is set and reading goes on.
            if ((size_t)n < room && !stream->hangup && flags == 0)
                stream->readable = false;
            return STREAM_DONE;
        }
        *got = 0;
        if (n == 0) {
            stream->readable = false;
            return STREAM_ENDED;
        }
        if (errno == EINTR)
            continue;
        stream->readable = false;
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_BLOCKED : STREAM_FAILED;
    }
}

enum stream_result stream_read(struct stream *stream, char *at, size_t room, size_t *got) {
    return stream->tls ? tls_read(stream, at, room, got) : socket_read(stream, at, room, 0, got);
}

void stream_look_again(struct stream *stream) {
    stream->readable = true;
    if (stream->tls)
        tls_look_again(stream->tls);
}

enum stream_result stream_peek(struct stream *stream, char *at, size_t room, size_t *got) {
    return socket_read(stream, at, room, MSG_PEEK, got);
}

enum stream_result stream_discard(struct stream *stream, size_t *got) {
    char thrown[16384];
    return socket_read(stream, thrown, sizeof thrown, 0, got);
}

static enum stream_result socket_write(struct stream *stream, const struct iovec *parts, int count,
                                       size_t *put) {
    *put = 0;
    for (;;) {
        ssize_t n;
        if (count == 1) {
            n = send(stream->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
            n = sendmsg(stream->fd, &message, MSG_NOSIGNAL);
        }
        if (n >= 0) {
            *put = (size_t)n;
            return STREAM_DONE;
        }
        if (errno == EINTR)
            continue;
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_BLOCKED : STREAM_FAILED;
    }
}

enum stream_result stream_write(struct stream *stream, const struct iovec *parts, int count, size_t *put) {
    enum stream_result result =
        stream->tls ? tls_write(stream, parts, count, put) : socket_write(stream, parts, count, put);
    if (result == STREAM_FAILED)
        stream->deaf = true;
    return result;
}

// stream: one non-blocking socket, plain or under TLS (io/tls.h), with one persistent, edge-triggered event
// for its whole life (no epoll_ctl in the steady state). Owner: the embedding connection; its worker's thread
// only.
//
// Edge-triggered means: after `readable` was set, whoever reads must go on until STREAM_BLOCKED, or remember
// to come back. stream_read clears `readable` by itself on a short read, unless the peer has hung up (then
// the end must be read).
#pragma once
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

enum stream_result { STREAM_DONE, STREAM_BLOCKED, STREAM_ENDED, STREAM_FAILED };

struct stream {
    struct event event;
    int fd;          // -1 when closed
    bool readable;   // an edge came and was not used up
    bool hangup;     // the peer will send nothing more after what can be read
    bool deaf;       // a write has failed: the peer takes nothing more, but what it said can still be read
    bool truncated;  // TLS only: it ended without saying so (RFC 9112 9.8), perhaps by another hand
    struct tls *tls; // NULL: plain
};

// `happened` is called with EV_READ and EV_WRITE bits after the fields above are up to date.
// (The one typedef of the house: libevent wants a function of this type.)
typedef void stream_callback(int fd, short what, void *context);
bool stream_open(struct stream *stream, struct event_base *base, int fd, stream_callback *happened,
                 void *context);
void stream_close(struct stream *stream); // idempotent; TLS: without a word, so that the peer sees a cut
// No more will be written; reading may go on. TLS: close_notify first. Everything was written before.
void stream_finish(struct stream *stream);
void stream_noted(struct stream *stream, short what); // first thing in every callback

// STREAM_DONE with *got > 0, STREAM_BLOCKED, STREAM_ENDED (end of stream) or STREAM_FAILED (errno is set).
enum stream_result stream_read(struct stream *stream, char *at, size_t room, size_t *got);
// The next stream_read asks the socket, whatever the last one found. For who is owed the news of a reset: one
// that came in the same event as the bytes before it brings no edge of its own, and libevent reports it as
// plain readiness.
void stream_look_again(struct stream *stream);
// As stream_read, but what it gives stays to be read. Plain only.
enum stream_result stream_peek(struct stream *stream, char *at, size_t room, size_t *got);
// Reads what comes from the socket and throws it away, also of a TLS stream that is past reading. As
// stream_read.
enum stream_result stream_discard(struct stream *stream, size_t *got);
// STREAM_DONE with *put > 0 (perhaps less than all), STREAM_BLOCKED or STREAM_FAILED.
// Under TLS, what is written may be kept for the socket: then stream_unsent is true, and a write of nothing
// is STREAM_BLOCKED until it is gone.
enum stream_result stream_write(struct stream *stream, const struct iovec *parts, int count, size_t *put);
bool stream_unsent(const struct stream *stream);

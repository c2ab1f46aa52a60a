// channel: messages between a daemon and the one that replaces it, over a pair of sockets: each a text, with
// descriptors or without, in order, whole or not at all. Control thread.
#pragma once
#include "base/slice.h"
#include <event2/event.h>
#include <stdint.h>

#define CHANNEL_FDS   128        // of one message
#define CHANNEL_BYTES (60 << 10) // of one message

struct channel_mail { // valid during the call
    struct slice text;
    const int *fds; // the receiver's; close-on-exec
    size_t fd_count;
};
struct channel;
// False: the pair cannot be made; errno. Both are close-on-exec.
bool channel_pair(int fds[2]);
// `heard` for each message, `ended` once when the other side is gone; from the event loop, or from
// channel_wait.
struct channel *channel_new(struct event_base *base, int take_fd,
                            void (*heard)(const struct channel_mail *mail, void *context),
                            void (*ended)(void *context), void *context);
void channel_free(struct channel *channel); // NULL is allowed; from `heard` and `ended` too
// Never waits: what the socket does not take is sent later, with copies of the descriptors. Nothing when the
// other side is gone; false when the text is longer than CHANNEL_BYTES or there are more than CHANNEL_FDS.
bool channel_send(struct channel *channel, struct slice text, const int *fds, size_t fd_count);
// Waits for the next message, or the end, outside of the event loop. False: nothing came within the time.
bool channel_wait(struct channel *channel, int timeout_ms);

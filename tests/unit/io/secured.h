// secured: two ends of one socket, under TLS with each other.
#pragma once
#include "io/stream.h"
#include "io/tls.h"

struct secured {
    struct event_base *base;
    struct stream client, server;
};
// Opens both ends; `resume` may be NULL. No byte goes over it yet.
void secured_open(struct secured *pair, struct tls_context *client, struct tls_context *server,
                  const char *name, struct tls_session *resume);
void secured_close(struct secured *pair);
void secured_turn(struct secured *pair); // delivers what has happened to the sockets
// Both ends' handshakes as far as they go. True: both are done. What failed is in the streams.
bool secured_shake(struct secured *pair);
// Reads until `want` bytes are there or something else happens, which is returned.
enum stream_result secured_read(struct secured *pair, struct stream *from, char *at, size_t want,
                                size_t *got);
void secured_write(struct stream *to, const char *text); // all of it at once

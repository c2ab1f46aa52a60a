// A connection's bytes, in the clear or in TLS, for the load generator.
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

struct transport {
    int fd;   // -1: none
    SSL *ssl; // NULL: in the clear
};

// A client's context that accepts any certificate. With `resume` the last session's ticket is used for the
// next.
void transport_set_up_tls(bool resume);
// TLS over the connection begins; its handshake is done with transport_handshake.
void transport_begin_tls(struct transport *transport);
// true when done (or in the clear). Else *failed says whether it never will be.
bool transport_handshake(struct transport *transport, bool *failed);
bool transport_resumed(const struct transport *transport);

// Like recv and send: -1 with EAGAIN when there is nothing to do now. The flags are recv's, for bytes in the
// clear.
ssize_t transport_receive(struct transport *transport, void *to, size_t most, int flags);
ssize_t transport_send(struct transport *transport, const void *from, size_t length);

void transport_close(struct transport *transport);

#endif

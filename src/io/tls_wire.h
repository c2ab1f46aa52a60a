// tls_wire: the socket's side of one TLS stream. OpenSSL reads and writes through it as if nothing could
// block: what the socket does not take is kept here, and an empty socket is not asked a second time. Owner:
// the stream's `struct tls`; its worker's thread.
#pragma once
#include "io/stream.h"
#include <openssl/bio.h>

struct tls_wire {
    struct stream *stream;
    char *unsent; // records the socket did not take; NULL mostly
    size_t unsent_at, unsent_len;
    bool drained; // the socket has nothing: the next read would only say so
    bool ended;   // the socket's end was seen
    int broken;   // errno of reading from the socket, or 0: nothing more comes or goes
    int deaf;     // errno of writing to it, or 0: nothing more goes; what came can be read
};
BIO *tls_wire_bio(struct tls_wire *wire); // which does not outlive it
void tls_wire_free(struct tls_wire *wire);

// Around every call of OpenSSL's that may write: the records made in between leave in one system call.
void tls_wire_begin(struct tls_wire *wire);
void tls_wire_end(struct tls_wire *wire);
int tls_wire_error(const struct tls_wire *wire); // why nothing more goes out; 0: it does
// Sends what was kept. True: nothing is left.
bool tls_wire_flush(struct tls_wire *wire);

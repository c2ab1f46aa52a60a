#include "tls_wire.h"
#include "base/mem.h"
#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH_BYTES (65536 + 2048) // what tls_write makes of one call

// Records made during one call leave in one system call. One per thread, in use only within that call.
static _Thread_local struct {
    struct tls_wire *owner;
    size_t len;
    char bytes[BATCH_BYTES];
} batch;

static void keep_unsent(struct tls_wire *wire, const char *at, size_t len) {
    if (wire->unsent_at > 0) {
        memmove(wire->unsent, wire->unsent + wire->unsent_at, wire->unsent_len);
        wire->unsent_at = 0;
    }
    wire->unsent = mem_resize(wire->unsent, wire->unsent_len + len);
    memcpy(wire->unsent + wire->unsent_len, at, len);
    wire->unsent_len += len;
}

// How many bytes the socket took; fewer than `len`: it is full, or deaf.
static size_t send_some(struct tls_wire *wire, const char *at, size_t len) {
    size_t sent = 0;
    while (sent < len && !wire->deaf) {
        ssize_t n = send(wire->stream->fd, at + sent, len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            wire->deaf = errno;
    }
    return sent;
}

static void send_or_keep(struct tls_wire *wire, const char *at, size_t len) {
    size_t sent = wire->unsent_len ? 0 : send_some(wire, at, len);
    if (sent < len && !wire->deaf)
        keep_unsent(wire, at + sent, len - sent);
}

int tls_wire_error(const struct tls_wire *wire) {
    return wire->broken ? wire->broken : wire->deaf;
}

bool tls_wire_flush(struct tls_wire *wire) {
    if (wire->unsent_len == 0)
        return true;
    size_t sent = send_some(wire, wire->unsent + wire->unsent_at, wire->unsent_len);
    wire->unsent_at += sent;
    wire->unsent_len -= sent;
    if (wire->unsent_len)
        return false;
    mem_free(wire->unsent);
    wire->unsent = NULL;
    wire->unsent_at = 0;
    return true;
}

void tls_wire_begin(struct tls_wire *wire) {
    must(!batch.owner);
    batch.owner = wire;
    batch.len = 0;
    ERR_clear_error();
}

void tls_wire_end(struct tls_wire *wire) {
    must(batch.owner == wire);
    batch.owner = NULL;
    if (batch.len)
        send_or_keep(wire, batch.bytes, batch.len);
}

// ---- OpenSSL's way to the socket: never blocks a write, never asks an empty socket again

static int socket_write(BIO *bio, const char *at, int len) {
    struct tls_wire *wire = BIO_get_data(bio);
    size_t size = (size_t)len;
    must(batch.owner == wire);
    if (batch.len + size > sizeof batch.bytes) {
        send_or_keep(wire, batch.bytes, batch.len);
        batch.len = 0;
    }
    if (size > sizeof batch.bytes) {
        send_or_keep(wire, at, size);
    } else {
        memcpy(batch.bytes + batch.len, at, size);
        batch.len += size;
    }
    return len;
}

static int socket_read(BIO *bio, char *at, int room) {
    struct tls_wire *wire = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    while (!wire->drained && !wire->ended && !wire->broken) {
        ssize_t n = recv(wire->stream->fd, at, (size_t)room, 0);
        if (n > 0) {
            wire->drained = n < room && !wire->stream->hangup;
            return (int)n;
        }
        if (n == 0)
            wire->ended = true;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            wire->drained = true;
        else if (errno != EINTR)
            wire->broken = errno;
    }
    if (wire->ended)
        return 0;
    if (!wire->broken)
        BIO_set_retry_read(bio);
    return -1;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    struct tls_wire *wire = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return wire->ended;
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *method;
// Made before main, so that threads only read it; OpenSSL initialises itself for it.
__attribute__((constructor)) static void method_new(void) {
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
    must(method && BIO_meth_set_write(method, socket_write) && BIO_meth_set_read(method, socket_read) &&
         BIO_meth_set_ctrl(method, socket_control));
}
__attribute__((destructor)) static void method_free(void) {
    BIO_meth_free(method);
}

BIO *tls_wire_bio(struct tls_wire *wire) {
    BIO *bio = BIO_new(method);
    must(bio); // only memory can be missing
    BIO_set_data(bio, wire);
    BIO_set_init(bio, 1);
    return bio;
}

void tls_wire_free(struct tls_wire *wire) {
    mem_free(wire->unsent);
}

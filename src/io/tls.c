#include "base/mem.h"
#include "tls_inside.h"
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define RECORD_BYTES 16384 // RFC 8446 5.1: the most plaintext of one record
#define WRITE_BYTES  65536 // plaintext taken by one call: several records, one system call
#define BATCH_BYTES  (WRITE_BYTES + 2048)

struct tls {
    SSL *ssl;
    struct stream *stream;
    struct tls_context *context;
    struct tls_session *resume; // client: where its session is kept; may be NULL
    char *unsent;               // records the socket did not take; NULL mostly
    size_t unsent_at, unsent_len;
    bool drained;         // the socket has nothing: the next read would only say so
    bool ended;           // the socket's end was seen
    bool failed;          // OpenSSL may not be called any more
    bool finishing;       // the socket's writing side ends when `unsent` is out
    int broken;           // errno of the socket, or 0
    int alert;            // the last fatal one: its code, and SSL_CB_READ or SSL_CB_WRITE
    unsigned long reason; // OpenSSL's error, or 0
};

// Records made during one call leave in one system call. One per thread, in use only within that call.
static _Thread_local struct {
    struct tls *owner;
    size_t len;
    char bytes[BATCH_BYTES];
} batch;

// ---- to and from the socket

static void keep_unsent(struct tls *tls, const char *at, size_t len) {
    if (tls->unsent_at > 0) {
        memmove(tls->unsent, tls->unsent + tls->unsent_at, tls->unsent_len);
        tls->unsent_at = 0;
    }
    tls->unsent = mem_resize(tls->unsent, tls->unsent_len + len);
    memcpy(tls->unsent + tls->unsent_len, at, len);
    tls->unsent_len += len;
}

// How many bytes the socket took; fewer than `len`: it is full, or broken.
static size_t send_some(struct tls *tls, const char *at, size_t len) {
    size_t sent = 0;
    while (sent < len && !tls->broken) {
        ssize_t n = send(tls->stream->fd, at + sent, len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        else if (errno != EINTR)
            tls->broken = errno;
    }
    return sent;
}

static void send_or_keep(struct tls *tls, const char *at, size_t len) {
    size_t sent = tls->unsent_len ? 0 : send_some(tls, at, len);
    if (sent < len && !tls->broken)
        keep_unsent(tls, at + sent, len - sent);
}

// True: nothing is left.
static bool flush(struct tls *tls) {
    if (tls->unsent_len == 0)
        return true;
    size_t sent = send_some(tls, tls->unsent + tls->unsent_at, tls->unsent_len);
    tls->unsent_at += sent;
    tls->unsent_len -= sent;
    if (tls->unsent_len)
        return false;
    mem_free(tls->unsent);
    tls->unsent = NULL;
    tls->unsent_at = 0;
    return true;
}

static void batch_begin(struct tls *tls) {
    must(!batch.owner);
    batch.owner = tls;
    batch.len = 0;
    ERR_clear_error();
}

static void batch_end(struct tls *tls) {
    must(batch.owner == tls);
    batch.owner = NULL;
    if (batch.len)
        send_or_keep(tls, batch.bytes, batch.len);
}

// ---- OpenSSL's way to the socket: never blocks a write, never asks an empty socket again

static int socket_write(BIO *bio, const char *at, int len) {
    struct tls *tls = BIO_get_data(bio);
    size_t size = (size_t)len;
    must(batch.owner == tls);
    if (batch.len + size > sizeof batch.bytes) {
        send_or_keep(tls, batch.bytes, batch.len);
        batch.len = 0;
    }
    if (size > sizeof batch.bytes) {
        send_or_keep(tls, at, size);
    } else {
        memcpy(batch.bytes + batch.len, at, size);
        batch.len += size;
    }
    return len;
}

static int socket_read(BIO *bio, char *at, int room) {
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    while (!tls->drained && !tls->ended && !tls->broken) {
        ssize_t n = recv(tls->stream->fd, at, (size_t)room, 0);
        if (n > 0) {
            tls->drained = n < room && !tls->stream->hangup;
            return (int)n;
        }
        if (n == 0)
            tls->ended = true;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            tls->drained = true;
        else if (errno != EINTR)
            tls->broken = errno;
    }
    if (tls->ended)
        return 0;
    if (!tls->broken)
        BIO_set_retry_read(bio);
    return -1;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    struct tls *tls = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return tls->ended;
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

// ---- life

static struct tls *tls_new(struct stream *stream, struct tls_context *context) {
    struct tls *tls = mem_zero(1, sizeof *tls);
    BIO *bio = BIO_new(method);
    tls->ssl = SSL_new(tls_context_handle(context));
    must(tls->ssl && bio); // only memory can be missing
    tls->stream = stream;
    tls->context = tls_context_ref(context);
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    stream->tls = tls;
    return tls;
}

void stream_secure_server(struct stream *stream, struct tls_context *context) {
    SSL_set_accept_state(tls_new(stream, context)->ssl);
}

static void ask_for(struct tls *tls, const char *name) {
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    struct in6_addr numeric;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, name, &numeric) == 1 || inet_pton(AF_INET6, name, &numeric) == 1) {
        X509_VERIFY_PARAM_set1_ip_asc(param, name); // RFC 6066 3: no address is a server name
    } else {
        SSL_set_tlsext_host_name(tls->ssl, name);
        X509_VERIFY_PARAM_set1_host(param, name, 0);
    }
}

void stream_secure_client(struct stream *stream, struct tls_context *context, const char *server_name,
                          struct tls_session *resume) {
    struct tls *tls = tls_new(stream, context);
    SSL_set_connect_state(tls->ssl);
    ask_for(tls, server_name);
    tls->resume = resume;
    if (resume && resume->session && resume->context == context)
        SSL_set_session(tls->ssl, resume->session);
}

void tls_free(struct tls *tls) {
    // Without this, OpenSSL forgets the session of a connection that was not taken down by both sides.
    if (!tls->failed)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    tls_context_unref(tls->context);
    mem_free(tls->unsent);
    mem_free(tls);
}

void tls_session_clear(struct tls_session *session) {
    SSL_SESSION_free(session->session);
    *session = (struct tls_session){NULL, NULL};
}

bool tls_keep_session(SSL *ssl, void *session) {
    struct tls *tls = SSL_get_app_data(ssl);
    if (!tls->resume)
        return false;
    tls_session_clear(tls->resume);
    *tls->resume = (struct tls_session){session, tls->context};
    return true;
}

// ---- reading and writing

// After a call that gave nothing: STREAM_BLOCKED, STREAM_ENDED or STREAM_FAILED.
static enum stream_result outcome(struct tls *tls, int code) {
    tls->stream->readable = false;
    if (tls->broken) {
        tls->failed = true;
    } else {
        switch (SSL_get_error(tls->ssl, code)) {
        case SSL_ERROR_WANT_READ:
            return STREAM_BLOCKED;
        case SSL_ERROR_ZERO_RETURN:
            tls->stream->truncated = tls->ended;
            return STREAM_ENDED;
        default:
            tls->failed = true;
            tls->reason = ERR_peek_error();
            break;
        }
    }
    errno = tls->broken ? tls->broken : EPROTO;
    return STREAM_FAILED;
}

enum stream_result stream_handshake(struct stream *stream) {
    struct tls *tls = stream->tls;
    batch_begin(tls);
    int code = SSL_do_handshake(tls->ssl);
    enum stream_result result = code == 1 ? STREAM_DONE : outcome(tls, code);
    batch_end(tls);
    if (result == STREAM_ENDED) { // the end belongs to no message here
        tls->failed = true;
        result = STREAM_FAILED;
    }
    if (result == STREAM_DONE)
        stream->readable = true; // what came behind the handshake was read ahead
    return tls->broken ? STREAM_FAILED : result;
}

enum stream_result tls_read(struct stream *stream, char *at, size_t room, size_t *got) {
    struct tls *tls = stream->tls;
    enum stream_result result = STREAM_DONE;
    *got = 0;
    if (tls->failed) {
        stream->readable = false;
        errno = tls->broken ? tls->broken : EPROTO;
        return STREAM_FAILED;
    }
    batch_begin(tls);
    while (*got < room && result == STREAM_DONE) {
        size_t n = 0;
        int code = SSL_read_ex(tls->ssl, at + *got, room - *got, &n);
        if (code == 1)
            *got += n;
        else
            result = outcome(tls, code);
    }
    batch_end(tls);
    if (*got == 0 || result == STREAM_DONE)
        return result;
    stream->readable = result != STREAM_BLOCKED; // an end or a failure is told by the next read
    return STREAM_DONE;
}

// The next record's worth of `parts` from offset `*at` on: in place when one part is enough, else gathered.
static const char *next_record(const struct iovec *parts, int count, size_t at, char *room, size_t *len) {
    size_t filled = 0;
    for (int i = 0; i < count && filled < RECORD_BYTES; i++) {
        if (at >= parts[i].iov_len) {
            at -= parts[i].iov_len;
            continue;
        }
        const char *from = (const char *)parts[i].iov_base + at;
        size_t there = parts[i].iov_len - at, take = RECORD_BYTES - filled;
        if (take > there)
            take = there;
        at = 0;
        if (filled == 0 && (take == RECORD_BYTES || i + 1 == count)) {
            *len = take;
            return from;
        }
        memcpy(room + filled, from, take);
        filled += take;
    }
    *len = filled;
    return room;
}

enum stream_result tls_write(struct stream *stream, const struct iovec *parts, int count, size_t *put) {
    struct tls *tls = stream->tls;
    char room[RECORD_BYTES];
    size_t len = 1;
    *put = 0;
    if (!flush(tls) && !tls->broken)
        return STREAM_BLOCKED;
    batch_begin(tls);
    while (!tls->failed && !tls->broken && *put < WRITE_BYTES && len) {
        size_t written;
        const char *record = next_record(parts, count, *put, room, &len);
        if (!len)
            break;
        int code = SSL_write_ex(tls->ssl, record, len, &written);
        if (code == 1)
            *put += written;
        else
            outcome(tls, code);
    }
    batch_end(tls);
    if (!tls->failed && !tls->broken)
        return STREAM_DONE;
    errno = tls->broken ? tls->broken : EPROTO;
    return STREAM_FAILED;
}

bool tls_unsent(const struct tls *tls) {
    return tls->unsent_len > 0 && !tls->broken;
}

void tls_noted(struct stream *stream, short what) {
    struct tls *tls = stream->tls;
    if (what & (EV_READ | EV_CLOSED))
        tls->drained = false;
    if ((what & EV_WRITE) && tls->unsent_len && flush(tls) && tls->finishing)
        shutdown(stream->fd, SHUT_WR);
}

void tls_finish(struct stream *stream) {
    struct tls *tls = stream->tls;
    if (!tls->failed && !tls->broken && SSL_is_init_finished(tls->ssl)) {
        batch_begin(tls);
        SSL_shutdown(tls->ssl);
        batch_end(tls);
    }
    tls->finishing = true;
    if (!tls->unsent_len)
        shutdown(stream->fd, SHUT_WR);
}

// ---- what is told of it

void tls_note_alert(SSL *ssl, int where, int code) {
    struct tls *tls = SSL_get_app_data(ssl);
    if ((where & SSL_CB_ALERT) && code >> 8 == SSL3_AL_FATAL)
        tls->alert = (code & 0xff) << 16 | (where & (SSL_CB_READ | SSL_CB_WRITE));
}

static const char *why(const struct tls *tls) {
    const char *text = tls->reason ? ERR_reason_error_string(tls->reason) : NULL;
    if (tls->broken)
        return strerror(tls->broken);
    if (text && ERR_GET_REASON(tls->reason) != SSL_R_CERTIFICATE_VERIFY_FAILED)
        return text;
    if (text)
        return X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
    return tls->ended ? "the connection was closed" : "unknown";
}

const char *stream_tls_failure(const struct stream *stream) {
    static _Thread_local char text[256];
    const struct tls *tls = stream->tls;
    if (!tls)
        return "not under TLS";
    if (tls->alert)
        snprintf(text, sizeof text, "%s (alert %s: %s)", why(tls),
                 tls->alert & SSL_CB_WRITE ? "sent" : "received",
                 SSL_alert_desc_string_long(tls->alert >> 16));
    else
        snprintf(text, sizeof text, "%s", why(tls));
    return text;
}

const struct tls_context *stream_tls_context(const struct stream *stream) {
    return stream->tls ? stream->tls->context : NULL;
}

char *stream_tls_subject(const struct stream *stream) {
    X509 *certificate = stream->tls ? SSL_get0_peer_certificate(stream->tls->ssl) : NULL;
    if (!certificate || SSL_get_verify_result(stream->tls->ssl) != X509_V_OK)
        return NULL;
    BIO *out = BIO_new(BIO_s_mem());
    must(out);
    // RFC 2253 form (RFC 4514's); control characters and everything beyond ASCII are escaped.
    X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char *at;
    size_t len = (size_t)BIO_get_mem_data(out, &at);
    char *subject = mem_alloc(len + 1);
    memcpy(subject, at, len);
    subject[len] = 0;
    BIO_free(out);
    return subject;
}

#include "base/mem.h"
#include "tls_inside.h"
#include "tls_wire.h"
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

struct tls {
    SSL *ssl;
    struct stream *stream;
    struct tls_context *context;
    struct tls_session *resume; // client: where its session is kept; may be NULL
    struct tls_wire wire;
    bool failed;          // OpenSSL may not be called any more
    bool finishing;       // the socket's writing side ends when nothing is unsent
    int alert;            // the last fatal one: its code, and SSL_CB_READ or SSL_CB_WRITE
    unsigned long reason; // OpenSSL's error, or 0
};

// ---- life

static struct tls *tls_new(struct stream *stream, struct tls_context *context) {
    struct tls *tls = mem_zero(1, sizeof *tls);
    tls->ssl = SSL_new(tls_context_handle(context));
    must(tls->ssl); // only memory can be missing
    tls->stream = stream;
    tls->context = tls_context_ref(context);
    tls->wire.stream = stream;
    BIO *bio = tls_wire_bio(&tls->wire);
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
    tls_wire_free(&tls->wire);
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
    if (tls->wire.broken) {
        tls->failed = true;
    } else {
        switch (SSL_get_error(tls->ssl, code)) {
        case SSL_ERROR_WANT_READ:
            return STREAM_BLOCKED;
        case SSL_ERROR_ZERO_RETURN:
            tls->stream->truncated = tls->wire.ended;
            return STREAM_ENDED;
        default:
            tls->failed = true;
            tls->reason = ERR_peek_error();
            break;
        }
    }
    errno = tls->wire.broken ? tls->wire.broken : EPROTO;
    return STREAM_FAILED;
}

enum stream_result stream_handshake(struct stream *stream) {
    struct tls *tls = stream->tls;
    tls_wire_begin(&tls->wire);
    int code = SSL_do_handshake(tls->ssl);
    enum stream_result result = code == 1 ? STREAM_DONE : outcome(tls, code);
    tls_wire_end(&tls->wire);
    if (result == STREAM_ENDED) { // the end belongs to no message here
        tls->failed = true;
        result = STREAM_FAILED;
    }
    if (result == STREAM_DONE)
        stream->readable = true; // what came behind the handshake was read ahead
    return tls_wire_error(&tls->wire) ? STREAM_FAILED : result;
}

void tls_look_again(struct tls *tls) {
    tls->wire.drained = false;
}

enum stream_result tls_read(struct stream *stream, char *at, size_t room, size_t *got) {
    struct tls *tls = stream->tls;
    enum stream_result result = STREAM_DONE;
    *got = 0;
    if (tls->failed) {
        stream->readable = false;
        errno = tls->wire.broken ? tls->wire.broken : EPROTO;
        return STREAM_FAILED;
    }
    tls_wire_begin(&tls->wire);
    while (*got < room && result == STREAM_DONE) {
        size_t n = 0;
        int code = SSL_read_ex(tls->ssl, at + *got, room - *got, &n);
        if (code == 1)
            *got += n;
        else
            result = outcome(tls, code);
    }
    tls_wire_end(&tls->wire);
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
    if (!tls_wire_flush(&tls->wire) && !tls_wire_error(&tls->wire))
        return STREAM_BLOCKED;
    tls_wire_begin(&tls->wire);
    while (!tls->failed && !tls_wire_error(&tls->wire) && *put < WRITE_BYTES && len) {
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
    tls_wire_end(&tls->wire);
    if (!tls->failed && !tls_wire_error(&tls->wire))
        return STREAM_DONE;
    errno = tls_wire_error(&tls->wire) ? tls_wire_error(&tls->wire) : EPROTO;
    return STREAM_FAILED;
}

bool tls_unsent(const struct tls *tls) {
    return tls->wire.unsent_len > 0 && !tls_wire_error(&tls->wire);
}

void tls_noted(struct stream *stream, short what) {
    struct tls *tls = stream->tls;
    if (what & (EV_READ | EV_CLOSED))
        tls->wire.drained = false;
    if ((what & EV_WRITE) && tls->wire.unsent_len && tls_wire_flush(&tls->wire) && tls->finishing)
        shutdown(stream->fd, SHUT_WR);
}

void tls_finish(struct stream *stream) {
    struct tls *tls = stream->tls;
    if (!tls->failed && !tls_wire_error(&tls->wire) && SSL_is_init_finished(tls->ssl)) {
        tls_wire_begin(&tls->wire);
        SSL_shutdown(tls->ssl);
        tls_wire_end(&tls->wire);
    }
    tls->finishing = true;
    if (!tls->wire.unsent_len)
        shutdown(stream->fd, SHUT_WR);
}

// ---- what is told of it

void tls_note_alert(SSL *ssl, int where, int code) {
    struct tls *tls = SSL_get_app_data(ssl); // NULL: no stream's (tls_bufferevent)
    if (tls && (where & SSL_CB_ALERT) && code >> 8 == SSL3_AL_FATAL)
        tls->alert = (code & 0xff) << 16 | (where & (SSL_CB_READ | SSL_CB_WRITE));
}

static const char *why(const struct tls *tls) {
    const char *text = tls->reason ? ERR_reason_error_string(tls->reason) : NULL;
    if (tls_wire_error(&tls->wire))
        return strerror(tls_wire_error(&tls->wire));
    if (text && ERR_GET_REASON(tls->reason) != SSL_R_CERTIFICATE_VERIFY_FAILED)
        return text;
    if (text)
        return X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl));
    return tls->wire.ended ? "the connection was closed" : "unknown";
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

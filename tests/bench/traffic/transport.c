#include "transport.h"

#include "wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static SSL_CTX *context;
static SSL_SESSION *ticket; // the last one, when sessions are resumed

// A copy: a connection that ends in some ways makes its session unfit for others.
static SSL_SESSION *copy(SSL_SESSION *session) {
    SSL_SESSION *copied = SSL_SESSION_dup(session);
    if (!copied)
        wire_fail("SSL_SESSION_dup");
    return copied;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session) {
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = copy(session);
    return 0; // the session is not kept itself
}

void transport_set_up_tls(bool resume) {
    context = SSL_CTX_new(TLS_client_method());
    if (!context)
        wire_fail("SSL_CTX_new");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (resume)
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
}

void transport_begin_tls(struct transport *transport) {
    transport->ssl = SSL_new(context);
    if (!transport->ssl || SSL_set_fd(transport->ssl, transport->fd) != 1)
        wire_fail("SSL_new");
    SSL_set_connect_state(transport->ssl);
    if (!ticket)
        return;
    SSL_SESSION *session = copy(ticket);
    SSL_set_session(transport->ssl, session);
    SSL_SESSION_free(session);
}

static ssize_t result_of(struct transport *transport, int result) {
    if (result > 0)
        return result;
    int error = SSL_get_error(transport->ssl, result);
    ERR_clear_error();
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

bool transport_handshake(struct transport *transport, bool *failed) {
    *failed = false;
    if (!transport->ssl || SSL_is_init_finished(transport->ssl))
        return true;
    if (result_of(transport, SSL_do_handshake(transport->ssl)) > 0)
        return true;
    *failed = errno != EAGAIN;
    return false;
}

bool transport_resumed(const struct transport *transport) {
    return transport->ssl && SSL_session_reused(transport->ssl);
}

ssize_t transport_receive(struct transport *transport, void *to, size_t most, int flags) {
    if (transport->ssl)
        return result_of(transport, SSL_read(transport->ssl, to, (int)most));
    return recv(transport->fd, to, most, flags);
}

ssize_t transport_send(struct transport *transport, const void *from, size_t length) {
    if (transport->ssl)
        return result_of(transport, SSL_write(transport->ssl, from, (int)length));
    return send(transport->fd, from, length, MSG_NOSIGNAL);
}

void transport_close(struct transport *transport) {
    if (transport->ssl) {
        SSL_shutdown(transport->ssl);
        SSL_free(transport->ssl);
        transport->ssl = NULL;
    }
    if (transport->fd >= 0)
        close(transport->fd);
    transport->fd = -1;
}

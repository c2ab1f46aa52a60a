#include "io/tls_bufferevent.h"
#include "base/mem.h"
#include "tls_inside.h"
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/ssl.h>
#include <pthread.h>

// Which of a connection's extra data is its context.
static int slot = -1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void let_go(void *parent, void *context, CRYPTO_EX_DATA *data, int index, long number, void *pointer) {
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    tls_context_unref(context);
}

static void make_slot(void) {
    slot = SSL_get_ex_new_index(0, NULL, NULL, NULL, let_go);
    must(slot > 0); // 0 is the app data, a stream's
}

struct bufferevent *tls_bufferevent_server(struct event_base *base, struct tls_context *context) {
    pthread_once(&once, make_slot);
    SSL *ssl = SSL_new(tls_context_handle(context));
    must(ssl && SSL_set_ex_data(ssl, slot, tls_context_ref(context)) == 1);
    // libevent waits for the socket: what OpenSSL has read ahead of it would not be looked at.
    SSL_set_read_ahead(ssl, 0);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    struct bufferevent *made =
        bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    must(made != NULL);
    // HTTP says itself where a message ends.
    bufferevent_openssl_set_allow_dirty_shutdown(made, 1);
    return made;
}

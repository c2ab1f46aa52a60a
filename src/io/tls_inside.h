// What the three files about TLS and stream.c share.
#pragma once
#include "io/stream.h"
#include "io/tls.h"

struct ssl_ctx_st; // OpenSSL's SSL_CTX and SSL, so that stream.c needs no more of it
struct ssl_st;

// ---- tls.c: what stream.c hands on
enum stream_result tls_read(struct stream *stream, char *at, size_t room, size_t *got);
enum stream_result tls_write(struct stream *stream, const struct iovec *parts, int count, size_t *put);
void tls_look_again(struct tls *tls);
bool tls_unsent(const struct tls *tls);
void tls_noted(struct stream *stream, short what);
void tls_finish(struct stream *stream); // close_notify, and the socket's end when everything is out
void tls_free(struct tls *tls);
// Called by the contexts' callbacks, with the connection that it is about.
void tls_note_alert(struct ssl_st *ssl, int where, int code);
bool tls_keep_session(struct ssl_st *ssl, void *session); // true: the slot has taken it

// ---- tls_context.c
struct ssl_ctx_st *tls_context_handle(const struct tls_context *context);
struct tls_tickets *tls_context_tickets(const struct tls_context *context);

// ---- tls_ticket.c
void tls_tickets_attach(struct ssl_ctx_st *handle); // the handle's app data is its context

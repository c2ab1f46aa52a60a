// tls_bufferevent: a server's side of TLS as a libevent bufferevent, for evhttp. What carries proxied
// requests is io/stream.h. The thread of the event base; owner of the result: the caller.
#pragma once
#include "io/tls.h"

struct event_base;
struct bufferevent;
// Without a socket yet (bufferevent_setfd begins the handshake); the socket is closed with it. The context is
// referenced while the connection lives.
struct bufferevent *tls_bufferevent_server(struct event_base *base, struct tls_context *context);

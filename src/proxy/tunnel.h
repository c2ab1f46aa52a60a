// tunnel: after 101 an exchange is two streams of bytes (RFC 9110 7.8, RFC 6455): passed on as they arrive,
// each direction with at most one buffer that the other side has not taken, and ended one by one
// (half-close). Worker's thread.
#pragma once
#include "exchange.h"

// The upstream agreed to the upgrade that the client had asked for; `head` is its 101, already taken from
// connection->in.
void tunnel_begin(struct exchange *exchange, struct head *head);
void tunnel_client(struct exchange *exchange);   // client -> upstream, as far as it goes
void tunnel_upstream(struct exchange *exchange); // upstream -> client, as far as it goes

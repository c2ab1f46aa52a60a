// stripped: the stream on its way to a client that did not ask for its tokens (http/strip.h), where the proxy
// has asked for them. Worker's thread.
#pragma once
#include "exchange.h"

// Of the answer's head, before it is passed on: decides whether the body is stripped.
void stripped_begin(struct exchange *exchange);
// The next `len` bytes of the body in `take_buffer`, which is given back: what goes on of them stands framed
// in exchange->stripped. `last`: the body has ended, and its end is to be written too.
struct segment stripped_pass(struct exchange *exchange, struct buffer *take_buffer, size_t len, bool last);
// The body has ended with its connection. Maybe empty.
struct segment stripped_end(struct exchange *exchange);

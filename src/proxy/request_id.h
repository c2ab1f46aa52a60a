// request_id: X-Request-Id, the client's own when it is a sane one. Worker's thread.
#pragma once
#include "exchange.h"

// In the exchange's arena. One that is made here is random until the variant is known.
struct slice request_id_make(struct exchange *exchange, const struct head *head);
// The variant is known: an id of ours says so from now on (proxy/issued.h), when there is a key.
void request_id_decided(struct exchange *exchange);

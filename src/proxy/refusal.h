// refusal: an upstream's answer that it has too much to do (429, 503): counted apart, and its endpoint is
// spared (upstream/back_off.h).
#pragma once
#include "exchange.h"
#include "upstream/back_off.h"

void refusal_take(struct exchange *exchange, const struct head *head); // of 429 or 503
// Of every answer, before anything follows from it: another attempt is to find the endpoint spared.
static inline void refusal_note(struct exchange *exchange, const struct head *head) {
    if (head->status == 429 || head->status == 503)
        refusal_take(exchange, head);
    else
        back_off_end(exchange->endpoint);
}

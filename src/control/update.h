// update: asks the webhook of a rolling rollout to bring one endpoint to the candidate's version. The answer
// comes when that is done: any 2xx means yes. It is asked once: whoever updates may have begun when no answer
// comes, so it is for a person to say `sluice retry`. Draining before and waiting for health after are the
// controller's. Control thread, asynchronous.
//
// Updates are long: give them a fetcher of their own, so that nothing short waits behind them.
#pragma once
#include "webhook.h"

#define UPDATE_TIMEOUT_MS 600000

struct update_request { // borrowed for the call only
    const char *url;
    const char *route, *pool, *endpoint; // endpoint: its URL, as the configuration has it
    const char *version;                 // NULL: null
    const char *user_agent;
    int64_t timeout_ms; // 0: UPDATE_TIMEOUT_MS
};
// As webhook_post; cancel with webhook_cancel.
struct webhook *update_start(struct fetcher *fetcher, const struct update_request *request,
                             void (*done)(const struct webhook_answer *answer, void *context), void *context);

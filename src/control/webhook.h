// webhook: a JSON text sent by POST to a URL of the configuration, and what came of it in one sentence.
// Hooks, notifications and updates are made of it. Control thread, asynchronous.
//
// A URL's path, query and user name are often its secret (chat services): sentences and logs name scheme,
// host and port only.
#pragma once
#include "control/fetch.h"

struct webhook_request { // borrowed for the call only
    const char *what;    // "before_step": how the sentence begins; a literal
    const char *url;
    struct slice body; // JSON
    const char *user_agent;
    int64_t timeout_ms;
};
struct webhook_answer {
    bool accepted;   // 2xx
    const char *why; // "before_step at http://hooks:80 answered 503: not on Fridays"
};

struct webhook;
// `done` is called once, later, never from inside this call; the webhook is gone by then, so that `done` may
// start another and must not cancel this one. The answer is borrowed for the call.
struct webhook *webhook_post(struct fetcher *fetcher, const struct webhook_request *request,
                             void (*done)(const struct webhook_answer *answer, void *context), void *context);
void webhook_cancel(struct webhook *webhook); // done is not called any more; NULL is allowed

// "https://host:8443" of a URL.
void webhook_origin(const char *url, struct strbuf *out);

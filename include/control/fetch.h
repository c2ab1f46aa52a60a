// fetch: HTTP requests of the control thread (health checks) and of the command line. The only file that
// knows libcurl. Nothing is taken from the environment (no proxies), redirects are not followed.
#pragma once
#include "base/strbuf.h"
#include "config/config.h"
#include <event2/event.h>
#include <stdbool.h>

struct fetch_request {  // borrowed for the call only
    const char *method; // NULL: GET
    const char *url;
    const struct header_list *headers; // may be NULL
    struct slice body;                 // at == NULL: none
    const char *user_agent;
    const char *bearer;    // token, or NULL
    const char *unix_path; // connect to this socket, or NULL
    const char *resolved;  // "NAME:PORT:ADDRESS,[ADDRESS]": where the URL's name is, so that nobody is asked
    const char *host;      // of the Host field, when it is not the URL's; or NULL
    const struct pool_tls_config *tls; // for https; NULL: verified by the system's authorities
    int64_t timeout_ms;
    size_t most_body; // more is cut off
    // A connection of its own, closed afterwards: tests that the peer accepts. On one that served before,
    // libcurl sends a request again that died with it, so what must not come twice goes out fresh.
    bool fresh;
    // A stream: the body of a 2xx answer is handed over as it comes, in pieces of any size, and not kept.
    // timeout_ms is that of connecting; nothing else ends it. Called as `done` is, before it. Neither this
    // nor `open` is for fetch_wait.
    void (*received)(struct slice piece, void *context);
    bool open; // the request's body, sent in chunks, does not end: fetch_say adds to it
};
struct fetch_answer {
    long status; // 0: none came
    struct strbuf body;
    bool truncated;  // the body was longer than most_body
    bool unsent;     // nothing of the request went out
    int64_t took_ms; // from its start, connecting and all, to the last byte; not what it waited for its turn
    int64_t retry_after_ms; // as Retry-After says; 0: it is absent
    char error[256];        // why no whole answer came; empty when one did
};
void fetch_answer_free(struct fetch_answer *answer);

// Once per process, before threads start.
void fetch_setup(void);

// Asynchronous, on the event base of the control thread. At most `most_active` run at a time, the others wait
// (their time-out begins when they start).
struct fetcher;
struct fetcher *fetcher_new(struct event_base *base, unsigned most_active);
void fetcher_free(struct fetcher *fetcher); // cancels what is under way
struct fetch;
// `done` is called once, later, never from inside this call; the answer is the fetcher's.
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request,
                          void (*done)(const struct fetch_answer *answer, void *context), void *context);
void fetch_say(struct fetch *fetch, struct slice more); // of a request that is open; copied
void fetch_cancel(struct fetch *fetch);                 // done is not called any more

// Waits for the answer. False when none came: answer->error says why. Any thread.
bool fetch_wait(const struct fetch_request *request, struct fetch_answer *answer);

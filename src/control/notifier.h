// notifier: sends JSON texts to URLs that must hear of them: tries again with growing waits, keeps the order
// of each URL, and gives up in the end. One for the daemon: it knows URLs, not routes, so that a reload does
// not touch what waits. Nothing waits for it; when the daemon ends each URL gets one more try, and what is
// undelivered then is lost (the journal has every decision). Control thread, asynchronous.
#pragma once
#include "config/rollout.h"
#include "webhook.h"

struct notifier_settings { // 0: the default
    const char *user_agent;
    int64_t timeout_ms;                  // 10 s, of one try
    int64_t first_wait_ms, most_wait_ms; // 1 s, 5 min: doubled after each try
    unsigned tries;                      // 10, then the text is dropped
    unsigned most_waiting; // 100 for each URL; past it the oldest that is not under way is dropped
};
struct notifier;
struct notifier *notifier_new(struct event_base *base, struct fetcher *fetcher,
                              const struct notifier_settings *settings);
void notifier_free(struct notifier *notifier); // NULL is allowed; before its fetcher

// `body` goes to `url`; both are copied. For hooks.on_promote and on_rollback; `what` is a literal that names
// it in the log.
void notifier_send(struct notifier *notifier, const char *what, const char *url, struct slice body);
// A decision's record, to everybody in `list`, each in its format.
void notifier_tell(struct notifier *notifier, const struct notify_config *list, size_t count,
                   struct slice record);

// The daemon ends: what waits for its next try is tried now, and what fails from now on is not tried again.
// It goes on as long as the caller lets the event loop run, which it need not do once nothing is busy.
void notifier_hurry(struct notifier *notifier);
bool notifier_busy(const struct notifier *notifier);

struct notifier_counts {
    uint64_t delivered, failed, dropped; // failed: tries
    uint64_t waiting;                    // now, those under way too
};
struct notifier_counts notifier_count(const struct notifier *notifier);

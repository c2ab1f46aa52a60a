// hooks: the URLs that are told, or asked, when a rollout is about to change something: before_step is asked
// and can say no; on_promote and on_rollback are told (by a notifier, which tries again). docs/hooks.md has
// the bodies. Control thread, asynchronous.
#pragma once
#include "config/rollout.h"
#include "webhook.h"

#define HOOK_TIMEOUT_MS 10000

enum hook_kind { HOOK_BEFORE_STEP, HOOK_ON_PROMOTE, HOOK_ON_ROLLBACK };
const char *hook_url(const struct hooks_config *hooks, enum hook_kind kind); // NULL: none is configured

struct hook_news {
    const char *route;
    uint64_t decision;     // the number of the decision that causes it, in `sluice explain`; 0: none yet
    unsigned step;         // counted from 0
    int64_t weight;        // the candidate's in basis points: what the step will give it, or what it has now;
                           // -1: the step is a pause
    const char *from, *to; // the rollout's states
    const char *baseline, *candidate, *version, *because; // NULL: null
    uint64_t time_ms;                                     // Unix time
};
void hook_write(enum hook_kind kind, const struct hook_news *news, struct strbuf *out);

// Asks hooks.before_step: any 2xx is a yes. Cancel with webhook_cancel. `timeout_ms` 0: HOOK_TIMEOUT_MS.
struct webhook *hook_ask(struct fetcher *fetcher, const char *url, struct slice body, const char *user_agent,
                         int64_t timeout_ms, void (*done)(const struct webhook_answer *answer, void *context),
                         void *context);

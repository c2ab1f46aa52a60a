#include "hooks.h"

#include "base/clock.h"
#include "control/emit.h"

static const char *const names[] = {"before_step", "on_promote", "on_rollback"};

const char *hook_url(const struct hooks_config *hooks, enum hook_kind kind) {
    switch (kind) {
    case HOOK_BEFORE_STEP:
        return hooks->before_step;
    case HOOK_ON_PROMOTE:
        return hooks->on_promote;
    case HOOK_ON_ROLLBACK:
        return hooks->on_rollback;
    }
    return NULL;
}

void hook_write(enum hook_kind kind, const struct hook_news *news, struct strbuf *out) {
    struct emit emit = {.out = out};
    char when[CLOCK_ISO_BYTES];
    clock_iso(news->time_ms, when);
    emit_object(&emit);
    emit_text(emit_name(&emit, "hook"), names[kind]);
    emit_text(emit_name(&emit, "route"), news->route);
    emit_u64(emit_name(&emit, "decision"), news->decision);
    emit_u64(emit_name(&emit, "step"), news->step);
    emit_name(&emit, "weight");
    if (news->weight < 0)
        emit_null(&emit);
    else
        emit_percent(&emit, (uint16_t)news->weight);
    emit_text(emit_name(&emit, "from"), news->from);
    emit_text(emit_name(&emit, "to"), news->to);
    emit_text(emit_name(&emit, "baseline"), news->baseline);
    emit_text(emit_name(&emit, "candidate"), news->candidate);
    emit_text(emit_name(&emit, "version"), news->version);
    emit_text(emit_name(&emit, "because"), news->because);
    emit_text(emit_name(&emit, "time"), when);
    emit_end(&emit, '}');
}

struct webhook *hook_ask(struct fetcher *fetcher, const char *url, struct slice body, const char *user_agent,
                         int64_t timeout_ms, void (*done)(const struct webhook_answer *answer, void *context),
                         void *context) {
    struct webhook_request request = {
        .what = names[HOOK_BEFORE_STEP],
        .url = url,
        .body = body,
        .user_agent = user_agent,
        .timeout_ms = timeout_ms ? timeout_ms : HOOK_TIMEOUT_MS,
    };
    return webhook_post(fetcher, &request, done, context);
}

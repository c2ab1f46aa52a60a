#include "update.h"

#include "control/emit.h"

static void write_body(const struct update_request *request, struct strbuf *out) {
    struct emit emit = {.out = out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), request->route);
    emit_text(emit_name(&emit, "pool"), request->pool);
    emit_text(emit_name(&emit, "endpoint"), request->endpoint);
    emit_text(emit_name(&emit, "version"), request->version);
    emit_end(&emit, '}');
}

struct webhook *update_start(struct fetcher *fetcher, const struct update_request *request,
                             void (*done)(const struct webhook_answer *answer, void *context),
                             void *context) {
    struct strbuf body = {0};
    write_body(request, &body);
    struct webhook_request post = {
        .what = "update",
        .url = request->url,
        .body = strbuf_as_slice(&body),
        .user_agent = request->user_agent,
        .timeout_ms = request->timeout_ms ? request->timeout_ms : UPDATE_TIMEOUT_MS,
    };
    struct webhook *webhook = webhook_post(fetcher, &post, done, context);
    strbuf_free(&body);
    return webhook;
}

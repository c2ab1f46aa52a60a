// `sluice promote`, pause, resume, rollback and retry: what a person tells a rollout.
#include "app/client.h"
#include "app/commands.h"
#include "control/emit.h"
#include "decision_text.h"

#include <string.h>

static void write_body(const struct invocation *invocation, struct strbuf *body) {
    struct emit emit = {.out = body};
    emit_object(&emit);
    if (invocation->full)
        emit_bool(emit_name(&emit, "full"), true);
    if (invocation->reason)
        emit_text(emit_name(&emit, "reason"), invocation->reason);
    emit_end(&emit, '}');
}

int command_rollout(const struct invocation *invocation) {
    struct strbuf path = {0}, body = {0}, answer = {0}, text = {0};
    client_route_path(&path, invocation, invocation->command->name);
    write_body(invocation, &body);
    int result = client_call(invocation, strbuf_text(&path), strbuf_text(&body), &answer);
    if (result == EXIT_DONE && invocation->json) {
        fwrite(answer.at, 1, answer.len, stdout);
    } else if (result == EXIT_DONE) {
        json_t *root = json_loadb(answer.at, answer.len, 0, NULL);
        decision_text_done(&text, root);
        fwrite(text.at, 1, text.len, stdout);
        json_decref(root);
    }
    strbuf_free(&path);
    strbuf_free(&body);
    strbuf_free(&answer);
    strbuf_free(&text);
    return result;
}

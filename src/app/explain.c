// `sluice explain`: the decisions of a route's rollout with their evidence.
#include "app/client.h"
#include "app/commands.h"
#include "decision_text.h"
#include "member.h"

static void write_decisions(struct strbuf *out, const json_t *answer) {
    const json_t *decisions = json_object_get(answer, "decisions");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        if (i > 0)
            strbuf_char(out, '\n');
        decision_text_whole(out, json_array_get(decisions, i));
    }
    if (json_array_size(decisions) == 0)
        strbuf_format(out, "%s: nothing was decided yet\n", member_text(answer, "route"));
}

int command_explain(const struct invocation *invocation) {
    struct strbuf path = {0};
    client_route_path(&path, invocation, "decisions");
    if (invocation->last)
        strbuf_format(&path, "?last=%u", invocation->last);
    int result = client_print(invocation, strbuf_text(&path), write_decisions);
    strbuf_free(&path);
    return result;
}

#include "decision_text.h"

#include "app/paint.h"
#include "guard_text.h"
#include "member.h"
#include "rollout_text.h"
#include "words.h"

#include <string.h>

static void write_place(struct strbuf *out, const json_t *place) {
    const char *name, *between = "";
    json_t *weight;
    strbuf_string(out, member_text(place, "state"));
    if (member_is(place, "state", "step") || member_is(place, "state", "paused") ||
        member_is(place, "state", "hook"))
        strbuf_format(out, " %lld", member_integer(place, "step") + 1);
    if (member_given(place, "hold") && !member_is(place, "hold", "none"))
        strbuf_format(out, ", held (%s)", member_text(place, "hold"));
    json_t *weights = json_object_get(place, "weights");
    if (json_object_size(weights) == 0)
        return;
    strbuf_literal(out, " (");
    json_object_foreach(weights, name, weight) {
        strbuf_format(out, "%s%s ", between, name);
        words_percent(out, json_number_value(weight));
        between = ", ";
    }
    strbuf_char(out, ')');
}

static void write_way(struct strbuf *out, const json_t *decision) {
    const json_t *from = json_object_get(decision, "from"), *to = json_object_get(decision, "to");
    write_place(out, from);
    if (json_equal(from, to))
        return;
    strbuf_literal(out, " -> ");
    write_place(out, to);
}

static void write_who(struct strbuf *out, const json_t *decision) {
    strbuf_format(out, "%s by %s", member_text(decision, "action"),
                  member_is(decision, "who", "person") ? "a person" : "the controller");
}

void decision_text_whole(struct strbuf *out, const json_t *decision) {
    strbuf_format(out, "%s#%lld  %s  ", paint(PAINT_BOLD), member_integer(decision, "number"),
                  member_text(decision, "time"));
    write_who(out, decision);
    if (member_given(decision, "version") && *member_text(decision, "version"))
        strbuf_format(out, "  version %s", member_text(decision, "version"));
    strbuf_format(out, "%s\n    ", paint(PAINT_PLAIN));
    write_way(out, decision);
    strbuf_literal(out, "\n    because ");
    words_plain(out, member_text(decision, "because"));
    strbuf_char(out, '\n');
    const json_t *guards = json_object_get(decision, "guards");
    for (size_t i = 0; i < json_array_size(guards); i++)
        guard_text_whole(out, json_array_get(guards, i));
}

void decision_text_line(struct strbuf *out, const json_t *decision) {
    write_who(out, decision);
    strbuf_literal(out, ": ");
    write_way(out, decision);
    strbuf_literal(out, ": ");
    words_plain(out, member_text(decision, "because"));
}

static const char *done_words(const char *action) {
    static const char *const words[][2] = {
        {"start", "started"},     {"pause", "paused"},
        {"resume", "resumed"},    {"promote", "promoted"},
        {"complete", "complete"}, {"rollback", "rolled back"},
        {"stop", "stopped"},      {"weights", "weights by hand"},
        {"cool", "complete"},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], action) == 0)
            return words[i][1];
    return NULL;
}

void decision_text_done(struct strbuf *out, const json_t *answer) {
    const json_t *rollout = json_object_get(answer, "rollout"),
                 *decision = json_object_get(answer, "decision");
    const char *candidate = member_text(rollout, "candidate");
    const char *words = done_words(member_text(decision, "action"));
    strbuf_format(out, "%s: ", member_text(answer, "route"));
    if (words)
        strbuf_string(out, words);
    else
        rollout_text_state(out, rollout);
    const json_t *before = json_object_get(json_object_get(decision, "from"), "weights");
    const json_t *after = json_object_get(json_object_get(decision, "to"), "weights");
    double from = member_number(before, candidate), to = member_number(after, candidate);
    if (from < to || to < from) {
        strbuf_literal(out, " from ");
        words_percent(out, from);
        strbuf_literal(out, " to ");
        words_percent(out, to);
    }
    if (words && !member_is(decision, "action", "rollback")) {
        strbuf_literal(out, "; now ");
        rollout_text_state(out, rollout);
    }
    if (member_given(decision, "because")) {
        strbuf_literal(out, "\n  ");
        words_plain(out, member_text(decision, "because"));
    }
    strbuf_char(out, '\n');
}

#include "guard_text.h"

#include "app/paint.h"
#include "member.h"
#include "words.h"

#include <string.h>

static enum paint verdict_colour(const char *verdict) {
    if (strcmp(verdict, "pass") == 0)
        return PAINT_GREEN;
    if (strcmp(verdict, "fail") == 0)
        return PAINT_RED;
    return strcmp(verdict, "wait") == 0 ? PAINT_PLAIN : PAINT_YELLOW;
}

void guard_text_verdict(struct strbuf *out, const json_t *guard) {
    const char *verdict = member_text(guard, "verdict");
    strbuf_format(out, "%s%s%s", paint(verdict_colour(verdict)), verdict, paint(PAINT_PLAIN));
}

// "error_rate", "error_rate of b", "signal tokens_per_second", "latency_p95 (dry run)"
static void write_guard_name(struct strbuf *out, const json_t *guard) {
    if (!member_is(guard, "role", "guard"))
        strbuf_format(out, "%s ", member_text(guard, "role"));
    strbuf_string(out, member_text(guard, "name"));
    if (member_given(guard, "variant"))
        strbuf_format(out, " of %s", member_text(guard, "variant"));
    strbuf_string(out, member_true(guard, "dry_run") ? " (dry run)" : "");
}

void guard_text_line(struct strbuf *out, const json_t *guard) {
    struct strbuf name = {0};
    write_guard_name(&name, guard);
    const char *verdict = member_text(guard, "verdict");
    strbuf_format(out, "    %-28s %s%-7s%s ", strbuf_text(&name), paint(verdict_colour(verdict)), verdict,
                  paint(PAINT_PLAIN));
    words_plain(out, member_text(guard, "because"));
    strbuf_char(out, '\n');
    strbuf_free(&name);
}

static void write_arm(struct strbuf *out, const json_t *guard, const char *arm) {
    const json_t *figures = json_object_get(guard, arm);
    strbuf_format(out, "%s ", arm);
    words_value(out, figures, "estimate", member_text(guard, "unit"));
    strbuf_literal(out, " (");
    if (member_is(guard, "unit", "share") && member_given(figures, "events")) { // means have none
        words_count(out, member_number(figures, "events"));
        strbuf_literal(out, " of ");
    }
    words_count(out, member_number(figures, "requests"));
    strbuf_char(out, ')');
}

static void write_evidence(struct strbuf *out, const json_t *guard) {
    strbuf_literal(out, "\n      e-values: harm ");
    words_e_value(out, member_number(guard, "log10_e_harm"));
    if (member_given(guard, "needed_log10_e")) {
        strbuf_literal(out, " of the ");
        words_e_value(out, member_number(guard, "needed_log10_e"));
        strbuf_literal(out, " that suffice");
    }
    if (member_given(guard, "log10_e_pass")) {
        strbuf_literal(out, ", no harm ");
        words_e_value(out, member_number(guard, "log10_e_pass"));
    }
    if (member_given(guard, "needed_log10_e_pass")) {
        strbuf_literal(out, " of ");
        words_e_value(out, member_number(guard, "needed_log10_e_pass"));
    }
    if (member_given(guard, "requests_left")) {
        strbuf_literal(out, "; about ");
        words_count(out, member_number(guard, "requests_left"));
        strbuf_literal(out, " requests more");
    }
}

void guard_text_whole(struct strbuf *out, const json_t *guard) {
    const char *unit = member_text(guard, "unit");
    strbuf_literal(out, "    ");
    write_guard_name(out, guard);
    strbuf_literal(out, ": ");
    guard_text_verdict(out, guard);
    strbuf_literal(out, ": ");
    words_plain(out, member_text(guard, "because"));
    strbuf_literal(out, "\n      ");
    write_arm(out, guard, "candidate");
    strbuf_literal(out, ", ");
    write_arm(out, guard, "baseline");
    struct strbuf interval = {0};
    if (words_interval(&interval, json_object_get(guard, "difference"), unit))
        strbuf_format(out, ", difference %s", strbuf_text(&interval));
    strbuf_free(&interval);
    if (member_given(guard, "log10_e_harm"))
        write_evidence(out, guard);
    strbuf_char(out, '\n');
}

#include "course.h"

#include "../decision_text.h"
#include "../guard_text.h"
#include "../member.h"
#include "../rollout_text.h"
#include "../watch.h"
#include "../words.h"
#include "app/paint.h"

#include <string.h>

void course_free(struct course *course) {
    json_decref(course->rollout);
    json_decref(course->decision);
}

// The answer is its caller's: what is kept of it is counted.
static void keep(json_t **kept, const json_t *value) {
    json_decref(*kept);
    *kept = json_incref((json_t *)(uintptr_t)value);
}

void course_status(struct course *course, const json_t *rollout) {
    keep(&course->rollout, json_is_object(rollout) ? rollout : NULL);
}

static void tell(const json_t *decision, struct news *news) {
    struct strbuf line = {0};
    decision_text_line(&line, decision);
    news_add(news, "%s", strbuf_text(&line));
    strbuf_free(&line);
}

void course_decisions(struct course *course, const json_t *answer, struct news *news) {
    const json_t *decisions = json_object_get(answer, "decisions");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *decision = json_array_get(decisions, i);
        if (member_integer(decision, "number") <= member_integer(course->decision, "number"))
            continue;
        keep(&course->decision, decision);
        tell(decision, news);
    }
}

int course_end(const struct course *course) {
    return course->rollout ? watch_end(course->rollout) : -1;
}

// "0.31 of 500"; nothing where the guard has no such evidence.
static void write_evidence(struct strbuf *out, const json_t *guard, const char *has, const char *needs) {
    if (!member_given(guard, has))
        return;
    words_e_value(out, member_number(guard, has));
    if (!member_given(guard, needs))
        return;
    strbuf_literal(out, " of ");
    words_e_value(out, member_number(guard, needs));
}

// "0.52 % of 1,204"
static void write_arm(struct strbuf *out, const json_t *guard, const char *arm) {
    const json_t *figures = json_object_get(guard, arm);
    words_value(out, figures, "estimate", member_text(guard, "unit"));
    strbuf_literal(out, " of ");
    words_count(out, member_number(figures, "requests"));
}

static void write_guard(struct strbuf *out, const json_t *guard) {
    struct strbuf candidate = {0}, baseline = {0}, harm = {0}, fine = {0};
    write_arm(&candidate, guard, "candidate");
    write_arm(&baseline, guard, "baseline");
    write_evidence(&harm, guard, "log10_e_harm", "needed_log10_e");
    write_evidence(&fine, guard, "log10_e_pass", "needed_log10_e_pass");
    strbuf_format(out, "   %-16.32s ", member_text(guard, "name"));
    guard_text_verdict(out, guard);
    strbuf_format(out, "%*s %-19s %-19s %-18s %s\n", 7 - (int)strlen(member_text(guard, "verdict")), "",
                  strbuf_text(&candidate), strbuf_text(&baseline), strbuf_text(&harm), strbuf_text(&fine));
    strbuf_free(&candidate);
    strbuf_free(&baseline);
    strbuf_free(&harm);
    strbuf_free(&fine);
}

void course_write(const struct course *course, struct strbuf *out) {
    const json_t *guards = json_object_get(course->rollout, "guards");
    if (!course->rollout)
        return;
    rollout_text_head(out, course->rollout);
    strbuf_format(out, "   %s%-16s %-7s %-19s %-19s %-18s %s%s\n", paint(PAINT_DIM), "guard", "says",
                  "candidate", "baseline", "worse: e-value", "no worse: e-value", paint(PAINT_PLAIN));
    for (size_t i = 0; i < json_array_size(guards); i++)
        write_guard(out, json_array_get(guards, i));
}

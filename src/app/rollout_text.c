#include "rollout_text.h"

#include "app/paint.h"
#include "guard_text.h"
#include "member.h"
#include "words.h"

#include <string.h>

static enum paint state_colour(const json_t *rollout) {
    const char *state = member_text(rollout, "state");
    if (strcmp(state, "rolled_back") == 0 || strcmp(state, "rolling_back") == 0)
        return PAINT_RED;
    if (strcmp(state, "stopped") == 0 || !member_is(rollout, "hold", "none"))
        return PAINT_YELLOW;
    return strcmp(state, "promoted") == 0 ? PAINT_GREEN : PAINT_BOLD;
}

// The step that is live or comes next: NULL after the last.
static const json_t *step_now(const json_t *rollout) {
    return json_array_get(json_object_get(rollout, "steps"), (size_t)member_integer(rollout, "step"));
}

static void write_step(struct strbuf *out, const json_t *rollout) {
    long long step = member_integer(rollout, "step") + 1;
    long long steps = (long long)json_array_size(json_object_get(rollout, "steps"));
    if (member_given(rollout, "step_count")) // a rolling update has batches, which are not listed
        steps = member_integer(rollout, "step_count");
    strbuf_format(out, "%s %lld of %lld", member_is(rollout, "strategy", "rolling") ? "batch" : "step", step,
                  steps);
}

// What is live, which a person may have set otherwise than the step says.
static void write_weight(struct strbuf *out, const json_t *rollout) {
    const json_t *weights = json_object_get(rollout, "weights");
    const char *candidate = member_text(rollout, "candidate");
    if (member_is(rollout, "strategy", "rolling") || !member_given(weights, candidate))
        return;
    strbuf_literal(out, " at ");
    words_percent(out, member_number(weights, candidate));
}

static void write_state(struct strbuf *out, const json_t *rollout) {
    static const struct {
        const char *state, *words;
    } plain[] = {
        {"idle", "idle: nothing is being tried"},
        {"gates", "the gates before the first step are being asked"},
        {"watch", "the candidate has everything, guards go on judging"},
        {"promoted", "promoted"},
        {"rolling_back", "rolling back"},
        {"rolled_back", "rolled back"},
        {"stopped", "stopped"},
    };
    const char *state = member_text(rollout, "state");
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(state, plain[i].state) == 0) {
            strbuf_string(out, plain[i].words);
            return;
        }
    if (strcmp(state, "hook") == 0)
        strbuf_literal(out, "hooks.before_step is being asked for ");
    write_step(out, rollout);
    if (strcmp(state, "paused") == 0)
        strbuf_literal(out, ", a pause that waits for `sluice promote`");
    else if (strcmp(state, "step") == 0)
        write_weight(out, rollout);
}

void rollout_text_state(struct strbuf *out, const json_t *rollout) {
    write_state(out, rollout);
    if (member_given(rollout, "hold") && !member_is(rollout, "hold", "none"))
        strbuf_format(out, ", held (%s)", member_text(rollout, "hold"));
    if (member_given(rollout, "winner"))
        strbuf_format(out, ", winner %s", member_text(rollout, "winner"));
    if (member_true(rollout, "keep_warm") && !member_is(rollout, "state", "step"))
        strbuf_literal(out, ", one command switches back");
}

// "3m 12s of 10m" in a step, "3m 12s" elsewhere.
static void write_time(struct strbuf *out, const json_t *rollout) {
    const json_t *step = step_now(rollout);
    words_duration(out, member_number(rollout, "state_seconds"));
    if (step && member_is(rollout, "state", "step") && member_number(step, "for_seconds") > 0) {
        strbuf_literal(out, " of ");
        words_duration(out, member_number(step, "for_seconds"));
    }
}

static void write_sample_ratio(struct strbuf *out, const json_t *rollout) {
    const json_t *ratio = json_object_get(rollout, "sample_ratio");
    if (!member_true(ratio, "broken"))
        return;
    strbuf_format(out, "    %ssample ratio broken%s: e-value ", paint(PAINT_RED), paint(PAINT_PLAIN));
    words_e_value(out, member_number(ratio, "log10_e"));
    strbuf_literal(out, "; units seen:");
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(ratio, "units"), name, count) {
        strbuf_format(out, " %s ", name);
        words_count(out, json_number_value(count));
    }
    strbuf_char(out, '\n');
}

void rollout_text_head(struct strbuf *out, const json_t *rollout) {
    strbuf_format(out, "  %s %s", member_text(rollout, "strategy"), member_text(rollout, "candidate"));
    if (member_given(rollout, "version"))
        strbuf_format(out, " %s", member_text(rollout, "version"));
    strbuf_format(out, ": %s", paint(state_colour(rollout)));
    rollout_text_state(out, rollout);
    strbuf_format(out, "%s  ", paint(PAINT_PLAIN));
    write_time(out, rollout);
    strbuf_char(out, '\n');
}

void rollout_text_status(struct strbuf *out, const json_t *rollout) {
    if (!rollout || json_is_null(rollout))
        return;
    rollout_text_head(out, rollout);
    if (member_given(rollout, "because") && *member_text(rollout, "because")) {
        strbuf_literal(out, "    ");
        words_plain(out, member_text(rollout, "because"));
        strbuf_char(out, '\n');
    }
    if (member_true(rollout, "journal_failing"))
        strbuf_format(out, "    %sdecisions cannot be written to disk (state_dir)%s\n", paint(PAINT_RED),
                      paint(PAINT_PLAIN));
    write_sample_ratio(out, rollout);
    size_t i;
    const json_t *guards = json_object_get(rollout, "guards");
    for (i = 0; i < json_array_size(guards); i++)
        guard_text_line(out, json_array_get(guards, i));
}

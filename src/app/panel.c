#include "panel.h"

#include "app/paint.h"
#include "member.h"
#include "rollout_text.h"
#include "words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BAR        20
#define NAME_LEAST 10 // characters of a variant's name
#define NAME_MOST  24

static const json_t *step_now(const json_t *rollout) {
    return json_array_get(json_object_get(rollout, "steps"), (size_t)member_integer(rollout, "step"));
}

double panel_progress(const json_t *rollout) {
    const json_t *step = step_now(rollout);
    double seconds = member_number(step, "for_seconds"), requests = member_number(step, "min_requests");
    double least = 1;
    if (!member_is(rollout, "state", "step") || (seconds <= 0 && requests <= 0))
        return -1;
    if (seconds > 0)
        least = fmin(least, member_number(rollout, "state_seconds") / seconds);
    if (requests > 0)
        least = fmin(least, member_number(rollout, "step_requests") / requests);
    return least;
}

void panel_sparkline(struct strbuf *out, const json_t *values, unsigned points, bool fine) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char plain[] = "_.-=+*%#";
    size_t count = json_array_size(values), first = count > points ? count - points : 0;
    double most = 0;
    for (size_t i = first; i < count; i++)
        most = fmax(most, json_number_value(json_array_get(values, i)));
    for (size_t i = first; i < count; i++) {
        const json_t *value = json_array_get(values, i);
        int height = most > 0 ? (int)(json_number_value(value) / most * 7 + 0.5) : 0;
        if (json_is_null(value))
            strbuf_char(out, ' ');
        else if (fine)
            strbuf_string(out, blocks[height]);
        else
            strbuf_char(out, plain[height]);
    }
}

static void write_progress(struct strbuf *out, const json_t *rollout, bool fine) {
    double share = panel_progress(rollout);
    if (share < 0)
        return;
    strbuf_literal(out, "    [");
    for (int i = 0; i < BAR; i++)
        strbuf_string(out, i < (int)(share * BAR) ? (fine ? "█" : "#") : (fine ? "░" : "."));
    strbuf_format(out, "] %.0f %%", floor(100 * share));
    const json_t *step = step_now(rollout);
    if (member_number(step, "min_requests") > 0) {
        strbuf_literal(out, "  requests ");
        words_count(out, member_number(rollout, "step_requests"));
        strbuf_literal(out, " of ");
        words_count(out, member_number(step, "min_requests"));
    }
    strbuf_char(out, '\n');
}

static const json_t *history_of(const json_t *history, const char *name) {
    const json_t *variants = json_object_get(history, "variants");
    for (size_t i = 0; i < json_array_size(variants); i++)
        if (member_is(json_array_get(variants, i), "name", name))
            return json_array_get(variants, i);
    return NULL;
}

// What of a variant fits: the first that does.
static const struct width {
    unsigned columns; // beside the name
    unsigned points;
    bool rate, p95, first_token;
} widths[] = {
    {88, PANEL_POINTS, true, true, true},        {76, PANEL_POINTS / 2, true, true, true},
    {64, PANEL_POINTS / 2, true, true, false},   {52, PANEL_POINTS / 2, true, false, false},
    {41, PANEL_POINTS / 2, false, false, false}, {0, 0, false, false, false},
};

static const struct width *width_for(unsigned columns, unsigned name) {
    const struct width *width = widths;
    while (width->columns + name > columns && width->columns > 0)
        width++;
    return width;
}

static unsigned widest_name(const json_t *variants) {
    size_t widest = NAME_LEAST;
    for (size_t i = 0; i < json_array_size(variants); i++) {
        size_t len = strlen(member_text(json_array_get(variants, i), "name"));
        widest = len > widest ? len : widest;
    }
    return (unsigned)(widest < NAME_MOST ? widest : NAME_MOST);
}

static void write_variant(struct strbuf *out, const json_t *variant, const json_t *history,
                          const struct width *width, unsigned name_width, bool fine) {
    const char *name = member_text(variant, "name");
    double requests = member_number(variant, "requests"), errors = member_number(variant, "errors");
    const json_t *past = json_object_get(history_of(history, name), "per_second");
    strbuf_format(out, "  %-*.*s %6.4g %%  ", (int)name_width, NAME_MOST, name,
                  member_number(variant, "weight"));
    for (size_t i = json_array_size(past); i < width->points; i++)
        strbuf_char(out, ' ');
    panel_sparkline(out, past, width->points, fine);
    if (width->rate)
        strbuf_format(out, " %8.1f/s", member_number(variant, "per_second"));
    if (width->points)
        strbuf_literal(out, "  ");
    strbuf_format(out, "%serrors %.2f %%%s", errors > 0 ? paint(PAINT_RED) : "",
                  requests > 0 ? 100 * errors / requests : 0, errors > 0 ? paint(PAINT_PLAIN) : "");
    if (width->p95)
        strbuf_format(out, "  p95 %.0f ms", member_number(json_object_get(variant, "latency_ms"), "p95"));
    if (width->first_token)
        strbuf_format(out, "  ttft %.0f ms", member_number(json_object_get(variant, "ttft_ms"), "p50"));
    strbuf_char(out, '\n');
}

void panel_write(struct strbuf *out, const json_t *route, const json_t *history,
                 const struct panel_look *look) {
    const json_t *rollout = json_object_get(route, "rollout"), *variants = json_object_get(route, "variants");
    unsigned name_width = widest_name(variants);
    const struct width *width = width_for(look->columns, name_width);
    strbuf_format(out, "%s%s%s", paint(PAINT_BOLD), member_text(route, "name"), paint(PAINT_PLAIN));
    if (member_is(route, "weights_from", "command"))
        strbuf_format(out, "  %sweights set by hand%s", paint(PAINT_YELLOW), paint(PAINT_PLAIN));
    strbuf_char(out, '\n');
    for (size_t i = 0; i < json_array_size(variants); i++)
        write_variant(out, json_array_get(variants, i), history, width, name_width, look->fine);
    write_progress(out, rollout, look->fine);
    rollout_text_status(out, rollout);
}

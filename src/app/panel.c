#include "panel.h"

#include "app/paint.h"
#include "member.h"
#include "rollout_text.h"
#include "terminal.h"
#include "words.h"

#include <math.h>
#include <stdio.h>

#define BAR   20
#define NAMES 24 // characters of a variant's name

double panel_progress(const json_t *rollout) {
    const json_t *step =
        json_array_get(json_object_get(rollout, "steps"), (size_t)member_integer(rollout, "step"));
    double seconds = member_number(step, "for_seconds"), requests = member_number(step, "min_requests");
    double least = 2;
    if (!member_is(rollout, "state", "step"))
        return -1;
    if (seconds > 0)
        least = fmin(least, member_number(rollout, "state_seconds") / seconds);
    if (requests > 0)
        least = fmin(least, member_number(rollout, "step_requests") / requests);
    return least > 1.5 ? (seconds > 0 || requests > 0 ? 1 : -1) : fmin(least, 1);
}

void panel_sparkline(struct strbuf *out, const json_t *values, bool fine) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char plain[] = "_.-=+*%#";
    size_t count = json_array_size(values), first = count > PANEL_POINTS ? count - PANEL_POINTS : 0;
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
    const json_t *step =
        json_array_get(json_object_get(rollout, "steps"), (size_t)member_integer(rollout, "step"));
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

static void write_variant(struct strbuf *out, const json_t *variant, const json_t *history, bool fine) {
    const char *name = member_text(variant, "name");
    double requests = member_number(variant, "requests"), errors = member_number(variant, "errors");
    const json_t *past = json_object_get(history_of(history, name), "per_second");
    size_t points = json_array_size(past);
    strbuf_format(out, "  %-*.*s %6.4g %%  ", 10, NAMES, name, member_number(variant, "weight"));
    for (size_t i = points < PANEL_POINTS ? points : PANEL_POINTS; i < PANEL_POINTS; i++)
        strbuf_char(out, ' ');
    panel_sparkline(out, past, fine);
    strbuf_format(out, " %8.1f/s  %serrors %.2f %%%s  p95 %.0f ms  ttft %.0f ms\n",
                  member_number(variant, "per_second"), errors > 0 ? paint(PAINT_RED) : "",
                  requests > 0 ? 100 * errors / requests : 0, errors > 0 ? paint(PAINT_PLAIN) : "",
                  member_number(json_object_get(variant, "latency_ms"), "p95"),
                  member_number(json_object_get(variant, "ttft_ms"), "p50"));
}

void panel_write(struct strbuf *out, const json_t *route, const json_t *history, bool fine) {
    const json_t *rollout = json_object_get(route, "rollout"), *variants = json_object_get(route, "variants");
    strbuf_format(out, "%s%s%s\n", paint(PAINT_BOLD), member_text(route, "name"), paint(PAINT_PLAIN));
    for (size_t i = 0; i < json_array_size(variants); i++)
        write_variant(out, json_array_get(variants, i), history, fine);
    write_progress(out, rollout, fine);
    rollout_text_status(out, rollout);
}

void panel_fit(struct strbuf *out, struct slice text, unsigned columns, unsigned rows) {
    unsigned column = 0;
    for (size_t i = 0; i < text.len && rows > 0; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        if (byte == '\n') {
            column = 0;
            rows--;
        } else if (byte == '\033') { // to its letter
            size_t from = i;
            while (i + 1 < text.len && text.at[i] != 'm')
                i++;
            strbuf_append(out, text.at + from, i - from + 1);
            continue;
        } else if ((byte & 0xc0) != 0x80 && ++column > columns) {
            continue; // it and what continues it
        }
        if (column <= columns)
            strbuf_char(out, (char)byte);
    }
}

// ---- the terminal

void panel_begin(struct panel *panel, bool wanted) {
    *panel = (struct panel){.on = wanted && terminal_live(), .fine = terminal_unicode()};
}

void panel_erase(struct panel *panel) {
    if (panel->drawn)
        printf("\033[%uA\r\033[J", panel->drawn);
    panel->drawn = 0;
}

void panel_draw(struct panel *panel, const json_t *route, const json_t *history) {
    struct strbuf whole = {0}, fitting = {0};
    if (!panel->on)
        return;
    struct terminal_size size = terminal_size((struct terminal_size){80, 24});
    panel_write(&whole, route, history, panel->fine);
    panel_fit(&fitting, strbuf_as_slice(&whole), size.columns, size.rows > 1 ? size.rows - 1 : 1);
    panel_erase(panel);
    fwrite(fitting.at ? fitting.at : "", 1, fitting.len, stdout);
    for (size_t i = 0; i < fitting.len; i++)
        panel->drawn += fitting.at[i] == '\n';
    fflush(stdout);
    strbuf_free(&whole);
    strbuf_free(&fitting);
}

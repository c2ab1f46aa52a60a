// panel: the lines that `sluice watch` keeps redrawing at the foot of a terminal: the rollout, how far its
// step is, what each variant does now and did in the last minutes. And the terminal they are drawn on. One
// thread.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>
#include <stdbool.h>

#define PANEL_POINTS 24 // of the history, one character each

// What is drawn, from the answers of …/routes/ROUTE and …/history (which may be NULL). Pure. `fine`: the
// terminal knows UTF-8.
void panel_write(struct strbuf *out, const json_t *route, const json_t *history, bool fine);
// How far the step is, 0 to 1: of its time and of its requests whichever is behind. Negative: it has no end
// of either kind.
double panel_progress(const json_t *rollout);
// `values` relative to the greatest of them; gaps (null) are blank.
void panel_sparkline(struct strbuf *out, const json_t *values, bool fine);
// `text` cut to `rows` lines of at most `columns` characters; escapes for colours have no width.
void panel_fit(struct strbuf *out, struct slice text, unsigned columns, unsigned rows);

struct panel {
    bool on;        // stdout is a terminal that can be redrawn
    bool fine;      // it knows UTF-8
    unsigned drawn; // lines that stand there
};
void panel_begin(struct panel *panel, bool wanted);
void panel_erase(struct panel *panel); // so that other lines can be written
void panel_draw(struct panel *panel, const json_t *route, const json_t *history);

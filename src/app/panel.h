// panel: a route for people who watch it: what each variant does now and did in the last minutes, the
// rollout, how far its step is. Appended to a text, with colours where stdout has them. Pure.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>
#include <stdbool.h>

#define PANEL_POINTS 24 // of the history at most, one character each

struct panel_look {
    bool fine;        // the terminal knows UTF-8
    unsigned columns; // narrower ones get less of each variant
};
// From the answers of …/routes/ROUTE and …/history, which may be NULL.
void panel_write(struct strbuf *out, const json_t *route, const json_t *history,
                 const struct panel_look *look);
// How far the step is, 0 to 1: of its time and of its requests whichever is behind. Negative: it has no end
// of either kind.
double panel_progress(const json_t *rollout);
// The last `points` of the values relative to the greatest of them; gaps (null) are blank.
void panel_sparkline(struct strbuf *out, const json_t *values, unsigned points, bool fine);

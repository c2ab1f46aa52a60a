// foot: the lines at the foot of a terminal that `sluice watch` and `sluice status` keep redrawing in place.
// One thread.
#pragma once
#include "base/strbuf.h"
#include "terminal.h"

// `text` cut to `rows` lines of at most `columns` characters; when there are more lines, the last tells how
// many. Escapes for colours have no width, other control characters become blanks. Pure.
void foot_fit(struct strbuf *out, struct slice text, unsigned columns, unsigned rows);
// Rows that lines take where what is wider than `columns` goes on in the next row. Pure.
unsigned foot_rows(struct slice lines, unsigned columns);

struct foot {
    bool on;             // stdout is a terminal that can be redrawn; else nothing is drawn
    bool fine;           // it knows UTF-8
    struct strbuf drawn; // what stands there
};
void foot_begin(struct foot *foot, bool wanted);
void foot_free(struct foot *foot); // what stands there stays
struct terminal_size foot_size(void);
void foot_draw(struct foot *foot, struct slice text); // in place of what stands there
void foot_erase(struct foot *foot);                   // so that other lines can be written

// table: what the demo shows, as text: what to try, what each variant gets, what happened. Pure but for the
// colours (app/paint).
#pragma once
#include "base/strbuf.h"
#include "course.h"
#include "news.h"
#include "settings.h"
#include "stage.h"
#include "status.h"
#include "witness.h"

struct table {
    const char *program; // how to call sluice from where the user is
    const struct settings *settings;
    const struct stage *stage;
    const struct witness *witness;
    const struct status *status;
    const struct news *news;
    const struct course *course;
    uint64_t now_ns;
    unsigned columns; // of the screen
    bool unicode;     // the screen can show blocks
    bool wrap;        // long lines are broken at that width
};

void table_hints(const struct table *table, struct strbuf *out); // the commands to try
// The variants, over the last seconds or since the start; every line begins with `prefix`.
void table_variants(const struct table *table, bool total, const char *prefix, struct strbuf *out);
void table_summary(const struct table *table, struct strbuf *out); // one line: requests, failures, users
void table_screen(const struct table *table, struct strbuf *out);  // all of it
void table_news_line(const struct table *table, const struct news_item *item, struct strbuf *out);
void table_elapsed(const struct table *table, uint64_t at_ns, char text[16]); // "0:42" since the start

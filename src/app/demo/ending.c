#include "ending.h"

#include "../decision_text.h"
#include "../rollout_text.h"
#include "app/paint.h"
#include "fault.h"

static void write_head(struct strbuf *out, const char *text) {
    strbuf_format(out, "\n %s%s%s\n", paint(PAINT_BOLD), text, paint(PAINT_PLAIN));
}

static void write_news(const struct table *table, struct strbuf *out) {
    const struct news *news = table->news;
    write_head(out, "What happened");
    for (uint64_t i = news->count > NEWS_KEPT ? news->count - NEWS_KEPT : 0; i < news->count; i++)
        table_news_line(table, &news->items[i % NEWS_KEPT], out);
}

static void write_next(const struct table *table, struct strbuf *out) {
    write_head(out, "Next");
    if (table->settings->fault)
        strbuf_format(out, "  %s demo: a canary that is promoted\n", table->program);
    strbuf_format(out, "  %s demo --fail KIND: one that is rolled back; " FAULT_KINDS "\n", table->program);
    strbuf_literal(out, "  docs/tutorial.md, docs/rollouts.md: your own models\n");
}

void ending_write(const struct table *table, struct strbuf *out) {
    const struct course *course = table->course;
    write_news(table, out);
    if (course->decision) {
        write_head(out, "The last decision");
        decision_text_whole(out, course->decision);
    }
    write_head(out, "From beginning to end");
    table_variants(table, true, "", out);
    table_summary(table, out);
    if (course->rollout) {
        write_head(out, "The rollout");
        rollout_text_head(out, course->rollout);
    }
    write_next(table, out);
}

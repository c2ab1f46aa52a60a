#include "table.h"

#include "app/paint.h"
#include "base/clock.h"
#include "fault.h"

#include <stdio.h>
#include <string.h>

#define FIXED_COLUMNS 74 // of a line without its bar
#define BAR_MOST      30
#define NEWS_INDENT   9 // of a piece of news behind its time

static void format_time(uint64_t seconds, char text[16]) {
    snprintf(text, 16, "%u:%02u", (unsigned)(seconds / 60 % 100000), (unsigned)(seconds % 60));
}

void table_elapsed(const struct table *table, uint64_t at_ns, char text[16]) {
    uint64_t begun = table->witness->begun_ns;
    format_time(at_ns > begun ? (at_ns - begun + NS_PER_S / 2) / NS_PER_S : 0, text);
}

// 1234567 -> 1,234,567
static void write_count(struct strbuf *out, uint64_t count) {
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            strbuf_char(out, ',');
        strbuf_char(out, digits[i]);
    }
}

static void write_head(const struct table *table, struct strbuf *out) {
    char elapsed[16], whole[16];
    table_elapsed(table, table->now_ns, elapsed);
    strbuf_format(out, " %ssluice demo%s  %d simulated model servers, ", paint(PAINT_BOLD),
                  paint(PAINT_PLAIN), STAGE_MODELS);
    write_count(out, table->settings->users);
    strbuf_format(out, " users, %u requests a second   %s%s", table->settings->rate, paint(PAINT_BOLD),
                  elapsed);
    if (table->settings->duration_us) {
        format_time(table->settings->duration_us / 1000000, whole);
        strbuf_format(out, " of %s", whole);
    }
    strbuf_format(out, "%s\n\n", paint(PAINT_PLAIN));
}

static void hint(struct strbuf *out, const char *label, const char *text) {
    strbuf_format(out, " %s%-10s%s%s\n", paint(PAINT_DIM), label, paint(PAINT_PLAIN), text);
}

static void hint_command(const struct table *table, struct strbuf *out, const char *label,
                         const char *command) {
    char text[1024], admin[64] = "";
    if (table->settings->admin_port != 9901)
        snprintf(admin, sizeof admin, " --admin http://127.0.0.1:%u", table->settings->admin_port);
    snprintf(text, sizeof text, "%s %s%s", table->program, command, admin);
    hint(out, label, text);
}

void table_hints(const struct table *table, struct strbuf *out) {
    const struct settings *settings = table->settings;
    const struct child *blue = &table->stage->models[STAGE_BLUE_1];
    char text[1024];
    snprintf(text, sizeof text, "curl -s http://%s:%u/v1/chat/completions -H 'X-User-Id: alice' \\",
             settings->host, settings->port);
    hint(out, "ask", text);
    hint(out, "", "  -d '{\"model\":\"demo\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}'");
    hint_command(table, out, "who", "assign chat alice");
    hint_command(table, out, "state", "status");
    hint_command(table, out, "why", "explain chat");
    hint_command(table, out, "take back", "rollback chat");
    hint_command(table, out, "try again", "retry chat");
    snprintf(text, sizeof text, "%s   then   kill -HUP %d", table->stage->config_path,
             (int)table->stage->proxy.pid);
    hint(out, "or edit", text);
    if (blue->pid) {
        snprintf(text, sizeof text, "kill %d   (%s, one of two: nobody notices)", (int)blue->pid, blue->name);
        hint(out, "break", text);
    }
    snprintf(text, sizeof text, "curl -s http://127.0.0.1:%u/metrics", settings->admin_port);
    hint(out, "metrics", text);
}

static unsigned bar_width(const struct table *table) {
    unsigned width = table->columns > FIXED_COLUMNS ? table->columns - FIXED_COLUMNS : 0;
    return width < BAR_MOST ? width : BAR_MOST;
}

static void write_bar(const struct table *table, double share, struct strbuf *out) {
    unsigned width = bar_width(table), filled = (unsigned)(share * width + 0.5);
    if (share > 0 && filled == 0 && width)
        filled = 1;
    for (unsigned i = 0; i < width; i++)
        strbuf_string(out, i >= filled ? " " : table->unicode ? "█" : "#");
}

static void write_ms(struct strbuf *out, int width, double ms) {
    if (ms > 0)
        strbuf_format(out, "%*.0f ms", width - 3, ms);
    else
        strbuf_format(out, "%*s", width, "-");
}

static void write_variant(const struct table *table, const char *name, const char *weight, bool total,
                          const char *prefix, struct strbuf *out) {
    struct witness_figures figures = {0};
    int index = witness_find(table->witness, name);
    if (index >= 0)
        witness_read(table->witness, index, total, table->now_ns, &figures);
    bool baseline = table->status->variant_count && strcmp(name, table->status->variants[0].name) == 0;
    strbuf_format(out, "%s %s%-10.20s%s %6s%s  %5.1f%% ", prefix,
                  paint(baseline ? PAINT_GREEN : PAINT_YELLOW), *name ? name : "(none)", paint(PAINT_PLAIN),
                  weight, *weight ? "%" : " ", figures.requests_share * 100);
    strbuf_string(out, paint(baseline ? PAINT_GREEN : PAINT_YELLOW));
    write_bar(table, figures.requests_share, out);
    strbuf_format(out, "%s  %5.1f%% %7.1f ", paint(PAINT_PLAIN), figures.users_share * 100,
                  figures.per_second);
    strbuf_format(out, "%s%7llu%s", paint(figures.errors ? PAINT_RED : PAINT_PLAIN),
                  (unsigned long long)figures.errors, paint(PAINT_PLAIN));
    write_ms(out, 8, figures.p50_ms);
    write_ms(out, 8, figures.p95_ms);
    write_ms(out, 11, figures.first_byte_ms);
    strbuf_char(out, '\n');
}

static bool in_status(const struct status *status, const char *name) {
    for (int i = 0; i < status->variant_count; i++)
        if (strcmp(status->variants[i].name, name) == 0)
            return true;
    return false;
}

void table_variants(const struct table *table, bool total, const char *prefix, struct strbuf *out) {
    int width = (int)bar_width(table);
    if (*prefix == ' ' || !*prefix)
        strbuf_format(out, "%s%s %-10s %7s  %-*s  %6s %7s %7s%8s%8s%11s%s\n", prefix, paint(PAINT_DIM),
                      "variant", "weight", width + 7, width > 10 ? "share of requests" : "share", "users",
                      "req/s", "errors", "p50", "p95", "first byte", paint(PAINT_PLAIN));
    for (int i = 0; i < table->status->variant_count; i++)
        write_variant(table, table->status->variants[i].name, table->status->variants[i].weight, total,
                      prefix, out);
    for (int i = 0; i < table->witness->count; i++) // what is no longer configured, or named no variant
        if (!in_status(table->status, table->witness->variants[i].name))
            write_variant(table, table->witness->variants[i].name, "", total, prefix, out);
}

void table_summary(const struct table *table, struct strbuf *out) {
    const struct witness *witness = table->witness;
    strbuf_char(out, ' ');
    write_count(out, witness->requests);
    strbuf_format(out, " requests, %s", paint(witness->failures ? PAINT_RED : PAINT_GREEN));
    write_count(out, witness->failures);
    strbuf_format(out, " failed%s%s; ", paint(PAINT_PLAIN),
                  table->settings->fault && table->settings->fault->errors ? " that were not meant to" : "");
    write_count(out, witness->users_seen);
    strbuf_literal(out, " users seen, ");
    write_count(out, witness->users_moved);
    strbuf_literal(out, " changed variant\n");
}

// Breaks between words; a word that is longer than a line is left whole.
static void write_wrapped(struct strbuf *out, const char *text, size_t indent, size_t columns) {
    size_t room = columns > indent + 20 ? columns - indent : 20, used = 0;
    for (struct slice rest = slice_of(text); rest.at;) {
        struct slice word = slice_cut(&rest, ' ');
        if (used && used + 1 + word.len > room) {
            strbuf_format(out, "\n%*s", (int)indent, "");
            used = 0;
        } else if (used) {
            strbuf_char(out, ' ');
            used++;
        }
        strbuf_slice(out, word);
        used += word.len;
    }
}

void table_news_line(const struct table *table, const struct news_item *item, struct strbuf *out) {
    char at[16];
    table_elapsed(table, item->at_ns, at);
    strbuf_format(out, " %s%6s%s  ", paint(PAINT_DIM), at, paint(PAINT_PLAIN));
    if (table->wrap)
        write_wrapped(out, item->text, NEWS_INDENT, table->columns);
    else
        strbuf_string(out, item->text);
    strbuf_char(out, '\n');
}

void table_screen(const struct table *table, struct strbuf *out) {
    uint64_t first = table->news->count > NEWS_SHOWN ? table->news->count - NEWS_SHOWN : 0;
    write_head(table, out);
    table_variants(table, false, "", out);
    strbuf_char(out, '\n');
    course_write(table->course, out);
    strbuf_char(out, '\n');
    for (uint64_t i = first; i < table->news->count; i++)
        table_news_line(table, &table->news->items[i % NEWS_KEPT], out);
    strbuf_char(out, '\n');
    table_summary(table, out);
    strbuf_format(
        out,
        " %sThe variants: the last %d seconds as the clients saw them; p50 and p95 of whole answers, first "
        "byte of streams.%s\n\n",
        paint(PAINT_DIM), WITNESS_SLOTS - 1, paint(PAINT_PLAIN));
    table_hints(table, out); // last: what a low screen has no room for
}

#include "report.h"
#include "base/mem.h"
#include "base/redact.h"
#include "base/strbuf.h"
#include <stdio.h>
#include <stdlib.h>

// Mistakes of one file that are kept.
#define REPORT_MOST 1000

void report_add(struct report *report, struct place place, const char *hint, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < report->expansion_count; i++)
        redact_value(text, sizeof text, report->expansions[i].name, report->expansions[i].value);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    report->refusals++;
    if (report->count >= REPORT_MOST) // more help nobody, and are as many as somebody likes
        return;
    if (report->count == report->cap) {
        report->cap = report->cap ? report->cap * 2 : 16;
        report->items = mem_resize(report->items, report->cap * sizeof *report->items);
    }
    if (place.line == 0)
        place = (struct place){1, 1};
    report->items[report->count++] = (struct diagnostic){place, mem_copy_string(text), mem_copy_string(hint)};
}

void report_expanded(struct report *report, const char *name, const char *value) {
    for (size_t i = 0; i < report->expansion_count; i++)
        if (strcmp(report->expansions[i].name, name) == 0)
            return;
    report->expansions =
        mem_resize(report->expansions, (report->expansion_count + 1) * sizeof *report->expansions);
    report->expansions[report->expansion_count++] = (struct expansion){name, value};
}

void report_note(struct report *report, const void *field, struct place place, bool refused) {
    if (report->note_count == report->note_cap) {
        report->note_cap = report->note_cap ? report->note_cap * 2 : 256;
        report->notes = mem_resize(report->notes, report->note_cap * sizeof *report->notes);
    }
    report->notes[report->note_count++] = (struct noted){field, place, refused};
    report->sorted = false;
}

static int by_field(const void *left, const void *right) {
    const struct noted *a = left, *b = right;
    return (a->field > b->field) - (a->field < b->field);
}

// Only mistakes ask, so the notes are sorted when the first one does.
static const struct noted *find_note(struct report *report, const void *field) {
    if (!report->sorted && report->note_count)
        qsort(report->notes, report->note_count, sizeof *report->notes, by_field);
    report->sorted = true;
    struct noted wanted = {.field = field};
    return report->note_count ? bsearch(&wanted, report->notes, report->note_count, sizeof wanted, by_field)
                              : NULL;
}

bool report_given(struct report *report, const void *field) {
    return find_note(report, field) != NULL;
}

bool report_refused(struct report *report, const void *field) {
    const struct noted *note = find_note(report, field);
    return note && note->refused;
}

struct place report_place(struct report *report, const void *field, struct place otherwise) {
    const struct noted *note = find_note(report, field);
    return note ? note->place : otherwise;
}

static int by_place(const void *left, const void *right) {
    const struct diagnostic *a = left, *b = right;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void report_take(struct report *report, struct diagnostics *diagnostics) {
    if (report->count)
        qsort(report->items, report->count, sizeof *report->items, by_place);
    *diagnostics = (struct diagnostics){report->items, report->count};
    mem_free(report->notes);
    mem_free(report->expansions);
    *report = (struct report){0};
}

void diagnostics_free(struct diagnostics *diagnostics) {
    for (size_t i = 0; i < diagnostics->count; i++) {
        mem_free((char *)diagnostics->items[i].text);
        mem_free((char *)diagnostics->items[i].hint);
    }
    mem_free(diagnostics->items);
    *diagnostics = (struct diagnostics){0};
}

void diagnostic_write(const struct diagnostic *diagnostic, const char *path, struct strbuf *out) {
    strbuf_format(out, "%s:%u:%u: %s", path, diagnostic->place.line, diagnostic->place.column,
                  diagnostic->text);
    if (diagnostic->hint)
        strbuf_format(out, " (%s)", diagnostic->hint);
}

#define WORD_MOST 40

// Levenshtein's distance; words longer than WORD_MOST are never close.
static size_t distance(const char *a, const char *b) {
    size_t len_a = strlen(a), len_b = strlen(b), row[WORD_MOST + 1];
    if (len_a > WORD_MOST || len_b > WORD_MOST)
        return WORD_MOST;
    for (size_t k = 0; k <= len_b; k++)
        row[k] = k;
    for (size_t i = 1; i <= len_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= len_b; k++) {
            size_t best = diagonal + (a[i - 1] != b[k - 1]);
            diagonal = row[k];
            if (row[k] + 1 < best)
                best = row[k] + 1;
            if (row[k - 1] + 1 < best)
                best = row[k - 1] + 1;
            row[k] = best;
        }
    }
    return row[len_b];
}

size_t nearest_word(const char *word, const char *const *candidates, size_t count) {
    size_t best = count, least = strlen(word) / 3 + 2; // about one letter in three may be wrong
    for (size_t i = 0; i < count; i++) {
        size_t far = candidates[i] ? distance(word, candidates[i]) : least;
        if (far < least) {
            least = far;
            best = i;
        }
    }
    return best;
}

const char *suggest(struct arena *arena, const char *word, const char *const *candidates, size_t count) {
    size_t best = nearest_word(word, candidates, count);
    return best < count ? arena_format(arena, "did you mean `%s`?", candidates[best]) : NULL;
}

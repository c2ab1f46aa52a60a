#include "control/outcome.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_all(struct outcome_mistake *items, size_t count) {
    for (size_t i = 0; i < count; i++) {
        mem_free(items[i].text);
        mem_free(items[i].hint);
    }
    mem_free(items);
}

void outcome_clear(struct outcome *outcome) {
    free_all(outcome->mistakes, outcome->mistake_count);
    free_all(outcome->warnings, outcome->warning_count);
    mem_free(outcome->path);
    *outcome = (struct outcome){0};
}

void outcome_begin(struct outcome *outcome, const char *path) {
    outcome_clear(outcome);
    outcome->path = mem_copy_string(path);
}

static struct outcome_mistake *more_mistakes(struct outcome *outcome) {
    size_t count = ++outcome->mistake_count;
    outcome->mistakes = mem_resize(outcome->mistakes, count * sizeof *outcome->mistakes);
    return &outcome->mistakes[count - 1];
}

void outcome_add(struct outcome *outcome, const struct diagnostics *diagnostics) {
    for (size_t i = 0; i < diagnostics->count; i++) {
        const struct diagnostic *from = &diagnostics->items[i];
        *more_mistakes(outcome) =
            (struct outcome_mistake){from->place, mem_copy_string(from->text), mem_copy_string(from->hint)};
    }
}

void outcome_fail(struct outcome *outcome, struct place place, const char *text) {
    if (place.line == 0) // a default: the file as a whole is meant
        place = (struct place){1, 1};
    *more_mistakes(outcome) = (struct outcome_mistake){place, mem_copy_string(text), NULL};
}

void outcome_warn(struct outcome *outcome, struct place place, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t count = ++outcome->warning_count;
    outcome->warnings = mem_resize(outcome->warnings, count * sizeof *outcome->warnings);
    outcome->warnings[count - 1] = (struct outcome_mistake){place, mem_copy_string(text), NULL};
}

static int by_place(const void *left, const void *right) {
    const struct outcome_mistake *a = left, *b = right;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return strcmp(a->text, b->text);
}

void outcome_sort(struct outcome *outcome) {
    if (outcome->mistake_count)
        qsort(outcome->mistakes, outcome->mistake_count, sizeof *outcome->mistakes, by_place);
    if (outcome->warning_count)
        qsort(outcome->warnings, outcome->warning_count, sizeof *outcome->warnings, by_place);
}

void outcome_write(const struct outcome *outcome, size_t index, struct strbuf *out) {
    const struct outcome_mistake *mistake = &outcome->mistakes[index];
    struct diagnostic diagnostic = {mistake->place, mistake->text, mistake->hint};
    diagnostic_write(&diagnostic, outcome->path, out);
}

void outcome_write_warning(const struct outcome *outcome, size_t index, struct strbuf *out) {
    const struct outcome_mistake *warning = &outcome->warnings[index];
    struct place place = warning->place.line ? warning->place : (struct place){1, 1};
    strbuf_format(out, "%s:%u:%u: warning: %s", outcome->path, place.line, place.column, warning->text);
}

void outcome_emit_mistakes(const struct outcome *outcome, struct emit *emit) {
    emit_array(emit);
    for (size_t i = 0; i < outcome->mistake_count; i++) {
        const struct outcome_mistake *mistake = &outcome->mistakes[i];
        emit_object(emit);
        emit_text(emit_name(emit, "file"), outcome->path);
        emit_u64(emit_name(emit, "line"), mistake->place.line);
        emit_u64(emit_name(emit, "column"), mistake->place.column);
        emit_text(emit_name(emit, "message"), mistake->text);
        emit_text(emit_name(emit, "hint"), mistake->hint);
        struct strbuf whole = {0};
        outcome_write(outcome, i, &whole);
        emit_slice(emit_name(emit, "text"), strbuf_as_slice(&whole));
        strbuf_free(&whole);
        emit_end(emit, '}');
    }
    emit_end(emit, ']');
}

void outcome_emit_warnings(const struct outcome *outcome, struct emit *emit) {
    emit_array(emit);
    for (size_t i = 0; i < outcome->warning_count; i++)
        emit_text(emit, outcome->warnings[i].text);
    emit_end(emit, ']');
}

void outcome_print(const struct outcome *outcome) {
    struct strbuf text = {0};
    for (size_t i = 0; i < outcome->mistake_count; i++) {
        outcome_write(outcome, i, &text);
        strbuf_char(&text, '\n');
    }
    ssize_t written = write(STDERR_FILENO, text.at, text.len);
    (void)written; // nowhere left to say it
    strbuf_free(&text);
}

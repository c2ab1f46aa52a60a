// report: collects diagnostics while a configuration is read. One thread, on the caller's stack.
#pragma once
#include "base/arena.h"
#include "config/config.h"

struct known_text { // a scalar of the file
    const char *text;
    struct place place;
};
struct report {
    struct diagnostic *items;
    size_t count, cap;
    struct known_text *texts; // every scalar that was read, so that a later check can point at its value
    size_t text_count, text_cap;
};
// Remembers where a value stands; the value is known by its address. report_place finds it again, else
// `otherwise`.
void report_note(struct report *report, const char *text, struct place place);
struct place report_place(const struct report *report, const char *text, struct place otherwise);

// The texts are copied to the heap; diagnostics_free releases them. hint may be NULL.
void report_add(struct report *report, struct place place, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// In order of place; the report is empty afterwards.
void report_take(struct report *report, struct diagnostics *diagnostics);

// The candidate nearest to `word` by edit distance as "did you mean `x`?", in the arena; NULL when none is
// close.
const char *suggest(struct arena *arena, const char *word, const char *const *candidates, size_t count);

// report: collects diagnostics while a configuration is read. One thread, on the caller's stack.
#pragma once
#include "base/arena.h"
#include "config/config.h"

struct noted { // a field that the file gave
    const void *field;
    struct place place; // of its value
    bool refused;
};
struct expansion { // of ${NAME}; both live as long as the report
    const char *name, *value;
};
struct report {
    struct diagnostic *items;
    size_t count, cap;
    size_t refusals; // grows with every mistake, also with the follow-ups that are passed over in silence
    struct noted *notes;
    size_t note_count, note_cap;
    bool sorted; // the notes, for look-ups
    struct expansion *expansions;
    size_t expansion_count;
};
// Remembers that the file gave `field` (known by its address) and where. `refused`: a mistake in it was
// reported already, so that no check should complain of what follows from that. Structs are noted only when
// they are refused whole: their first field has the same address.
void report_note(struct report *report, const void *field, struct place place, bool refused);
bool report_given(struct report *report, const void *field);
bool report_refused(struct report *report, const void *field);
struct place report_place(struct report *report, const void *field, struct place otherwise);

// From now on no diagnostic shows that value, which came from the environment and may be a secret: it shows
// ${NAME}.
void report_expanded(struct report *report, const char *name, const char *value);

// The texts are copied to the heap; diagnostics_free releases them. hint may be NULL. Control characters of
// quoted values become `?`: a diagnostic is one line.
void report_add(struct report *report, struct place place, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// In order of place; the report is empty afterwards.
void report_take(struct report *report, struct diagnostics *diagnostics);

// The index of the candidate nearest to `word` by edit distance; `count` when none is close.
size_t nearest_word(const char *word, const char *const *candidates, size_t count);
// The same as "did you mean `x`?", in the arena; NULL when none is close.
const char *suggest(struct arena *arena, const char *word, const char *const *candidates, size_t count);

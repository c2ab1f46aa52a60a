// outcome: how a load, a reload or a check ended, kept for the log, the API and `sluice status`. One thread.
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "control/emit.h"

struct outcome_mistake {
    struct place place;
    char *text, *hint; // owned; hint may be NULL
};
struct outcome {
    bool success;
    char *path;     // of the file, owned
    uint64_t at_ms; // wall clock; 0: never
    double elapsed_ms;
    uint64_t plan; // number of the plan it made
    size_t routes, pools, endpoints;
    struct outcome_mistake *mistakes; // located; none on success
    size_t mistake_count;
    struct outcome_mistake *warnings; // located, or with line 0; what waits for a restart, and bad omens
    size_t warning_count;
};
void outcome_clear(struct outcome *outcome);
void outcome_begin(struct outcome *outcome, const char *path); // clears first
void outcome_add(struct outcome *outcome, const struct diagnostics *diagnostics);
void outcome_fail(struct outcome *outcome, struct place place, const char *text); // one more mistake
void outcome_warn(struct outcome *outcome, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void outcome_sort(struct outcome *outcome); // mistakes and warnings, by place
// "FILE:LINE:COL: text (hint)" of one mistake, appended.
void outcome_write(const struct outcome *outcome, size_t index, struct strbuf *out);
// "FILE:LINE:COL: warning: text" of one warning, appended.
void outcome_write_warning(const struct outcome *outcome, size_t index, struct strbuf *out);
void outcome_print(const struct outcome *outcome); // every mistake, a line each, on stderr
void outcome_emit_mistakes(const struct outcome *outcome, struct emit *emit); // a JSON array
void outcome_emit_warnings(const struct outcome *outcome, struct emit *emit); // a JSON array

// outcome: how a load or reload ended, kept for the log, the API and `sluice status`. Control thread.
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
    char **warnings; // what waits for a restart
    size_t warning_count;
};
void outcome_clear(struct outcome *outcome);
void outcome_begin(struct outcome *outcome, const char *path); // clears first
void outcome_add(struct outcome *outcome, const struct diagnostics *diagnostics);
void outcome_fail(struct outcome *outcome, struct place place, const char *text); // one more mistake
void outcome_warn(struct outcome *outcome, const char *format, ...) __attribute__((format(printf, 2, 3)));
// "FILE:LINE:COL: text (hint)" of one mistake, appended.
void outcome_write(const struct outcome *outcome, size_t index, struct strbuf *out);
void outcome_emit_mistakes(const struct outcome *outcome, struct emit *emit); // a JSON array
void outcome_emit_warnings(const struct outcome *outcome, struct emit *emit); // a JSON array

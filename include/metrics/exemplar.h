// exemplar: one recorded request of each bucket of a variant's histograms, the newest, so that a reader of a
// graph finds the trace behind it (OpenMetrics 1.0, "Exemplars"). One writer (the lane's worker), any
// reader.
#pragma once
#include "metrics/variant.h"
#include <stdbool.h>

#define TRACE_DIGITS_KEPT 32
#define SPAN_DIGITS_KEPT  16

enum exemplar_histogram { EXEMPLAR_DURATION, EXEMPLAR_FIRST_BYTE, EXEMPLAR_FIRST_TOKEN, EXEMPLAR_HISTOGRAMS };
struct exemplar {
    char trace[TRACE_DIGITS_KEPT], span[SPAN_DIGITS_KEPT]; // hexadecimal digits, not NUL-terminated
    uint64_t us;                                           // the value
    uint64_t wall_ms;                                      // when
};
struct exemplars;
struct exemplars *exemplars_new(void); // freed with mem_free
void exemplars_set(struct exemplars *exemplars, enum exemplar_histogram histogram, const char *trace,
                   const char *span, uint64_t us);
// False: there is none, or it is being written.
bool exemplars_read(const struct exemplars *exemplars, enum exemplar_histogram histogram, unsigned bucket,
                    struct exemplar *exemplar);

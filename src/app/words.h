// words: figures of a rollout's JSON as people read them, appended to a text. Pure.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void words_plain(struct strbuf *out, const char *text);  // without what could steer a terminal
void words_duration(struct strbuf *out, double seconds); // "12.5 s", "3m 12s", "2h 5m", "1d 3h"
void words_count(struct strbuf *out, double count);      // "1,204,330"
void words_percent(struct strbuf *out, double percent);  // "5 %", "0.25 %"
// A member of `object` in its unit: share, seconds, dollars, score or per_second. "?" when it is null.
void words_value(struct strbuf *out, const json_t *object, const char *name, const char *unit);
// The same of a difference: of shares in points.
void words_difference(struct strbuf *out, const json_t *object, const char *name, const char *unit);
// "-0.10 to 2.00 points" from the members low and high; false and nothing when they are not known.
bool words_interval(struct strbuf *out, const json_t *object, const char *unit);
void words_e_value(struct strbuf *out, double log10_e); // "1.26", "3.2e+07", "1e412"

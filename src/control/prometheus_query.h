// prometheus_query: what an instant query to Prometheus' HTTP API (GET /api/v1/query) says, and what its
// answer means. Pure; prometheus_poller asks.
#pragma once
#include "control/fetch.h"

#include <jansson.h>

// `$variant` and `$route` replaced by the names, where no letter, digit or _ follows. Names need no quoting
// (config: [A-Za-z0-9_.-]).
void prometheus_expand(const char *query, const char *route, const char *variant, struct strbuf *out);
// "URL/api/v1/query?query=…" percent-encoded; `url` may have a path and a query of its own.
void prometheus_url(const char *url, struct slice query, struct strbuf *out);

enum prometheus_outcome { PROMETHEUS_VALUE, PROMETHEUS_NO_DATA, PROMETHEUS_ERROR };
#define PROMETHEUS_WHY 160
// VALUE: a scalar, or a vector of one sample, that is finite. NO_DATA: an empty vector; *value is NAN. ERROR:
// everything else (no answer, refused, warnings, several samples, NaN, infinity), `why` has a sentence.
enum prometheus_outcome prometheus_read(const struct fetch_answer *answer, double *value,
                                        char why[PROMETHEUS_WHY]);
// The samples of an instant vector, whatever they are: {"metric": labels, "value": sample}. NULL: the answer
// has none, or not all (warnings, cut off), and `why` has a sentence. The caller's (json_decref).
json_t *prometheus_read_vector(const struct fetch_answer *answer, char why[PROMETHEUS_WHY]);
// Of one of them; NaN and infinities are values. False: it has none; *value is NAN.
bool prometheus_sample(const json_t *of_vector, double *value);

// scores: what was posted as feedback since the start, by route, variant and metric, for sluice_score.
// Bounded: past the most names that are kept apart, further metrics are counted together as "other". Control
// thread.
#pragma once
#include "config/config.h"
#include "metrics/exposition.h"

struct scores;
struct scores *scores_new(size_t most);  // names kept apart
void scores_free(struct scores *scores); // NULL is allowed
void scores_add(struct scores *scores, const char *route, const char *variant, const char *metric,
                double score);
// What was added so far; both are 0 when there was nothing.
void scores_read(const struct scores *scores, const char *route, const char *variant, const char *metric,
                 double *sum, uint64_t *count);
// The samples of routes and variants that are configured.
void scores_write(const struct scores *scores, const struct config *config, struct exposition *out);

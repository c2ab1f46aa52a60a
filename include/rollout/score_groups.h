// score_groups: the scores of one arm by groups of units, so that scores of the same units count for what
// they are (rollout/design.h). Fewer groups than the workers keep: scores are rarer than requests, and there
// may be many metrics. Pure; plain data.
#pragma once
#include "rollout/mean.h"

#include <stdint.h>

#define SCORE_GROUPS       256
#define SCORE_WITHOUT_UNIT UINT64_MAX // instead of a unit's hash: it stands for itself

struct score_groups {
    uint32_t counts[SCORE_GROUPS];
    double sums[SCORE_GROUPS];
    uint32_t without; // of those without a unit: each goes to the next group
};
void score_groups_add(struct score_groups *groups, uint64_t unit_hash, double score);
double score_groups_count(const struct score_groups *groups);
// The design effect; `all` are the same scores together. 1 while too few groups have some.
double score_groups_effect(const struct score_groups *groups, const struct mean *all);

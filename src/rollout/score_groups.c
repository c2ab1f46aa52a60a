#include "rollout/score_groups.h"

#include "rollout/cluster.h"
#include "rollout/design.h"

void score_groups_add(struct score_groups *groups, uint64_t unit_hash, double score) {
    uint64_t group = unit_hash == SCORE_WITHOUT_UNIT ? groups->without++ % SCORE_GROUPS : unit_hash >> 56;
    groups->counts[group]++;
    groups->sums[group] += score;
}

double score_groups_count(const struct score_groups *groups) {
    double count = 0;
    for (int i = 0; i < SCORE_GROUPS; i++)
        count += groups->counts[i];
    return count;
}

double score_groups_effect(const struct score_groups *groups, const struct mean *all) {
    double counts[SCORE_GROUPS], used = 0;
    for (int i = 0; i < SCORE_GROUPS; i++) {
        counts[i] = groups->counts[i];
        used += groups->counts[i] > 0;
    }
    if (used < DESIGN_LEAST_GROUPS || all->count < 2)
        return 1;
    return cluster_design_effect(counts, groups->sums, SCORE_GROUPS, all->deviations / (all->count - 1));
}

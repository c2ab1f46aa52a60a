// fleet_run: the same simulated traffic, counted by one instance or spread by chance over several, and one
// who judges by their tallies. Seeded; whoever counts it, a request has the same outcome.
#pragma once
#include "base/random.h"
#include "rollout/contest.h"
#include "trial_run.h"

#define FLEET_MOST 6
#define FLEET_ALL  FLEET_MOST // as a member: it gets all requests

struct traffic {
    unsigned members; // that it is spread over
    unsigned instead; // FLEET_MOST, or who gets what was meant for the last of `members`
    double per_tick[ARMS], error_rate[ARMS], slow_rate[ARMS], cost[ARMS], score[ARMS];
    uint64_t now, seed;
};
struct member {
    const struct traffic *traffic;
    unsigned index;
    struct trial trial; // it only reads ticks with it
    struct contest contest;
    struct tally tally;
    struct tally_groups groups;
};
struct judge {
    struct trial trial;
    struct contest contest;
    struct tally taken[FLEET_MOST + 1]; // by member
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
};

// A contest of all arms by the goal; the trial's guards are those of trial_settings.
void member_begin(struct member *member, const struct traffic *traffic, unsigned index,
                  const struct trial_settings *trial, const struct contest_settings *contest);
void judge_begin(struct judge *judge, const struct trial_settings *trial,
                 const struct contest_settings *contest);
// What has matured, and the scores of the last tick.
void member_tick(struct member *member);
// What is new in the member's tally is added to *pooled; it is written and read on its way.
void judge_hears(struct judge *judge, const struct member *member, struct tally *pooled);
void judge_takes(struct judge *judge, const struct tally *pooled, int64_t elapsed_ms);
// Evidence, estimates, verdicts: to `within` of their size; counts are the same.
void judges_agree(const struct judge *a, const struct judge *b, double within);
double traffic_draw(struct random_state *random); // 0 to 1
bool traffic_read(void *member, size_t arm, uint64_t tick, struct experiment_cell *cell);
struct contest_settings fleet_contest(enum guard_kind kind);

// contest: which of several variants is best by one metric, the goal of an A/B test: evidence for each
// ordered pair "i is better than j by more than the margin", and a winner once one variant has it against
// every other (rollout/winner.h). Pure; plain data but for the goal's name, so that the journal can keep it.
// Owner: the route's controller or a test.
#pragma once
#include "rollout/guard.h"
#include "rollout/interval.h"
#include "rollout/trial.h"

#define CONTEST_ARMS TALLY_ARMS

struct contest_settings {
    struct guard_settings goal;
    bool more_is_better;
    double
        margin; // as in the file: percentage points, score points, percent of the other's for times and costs
    double alpha;
    size_t arms[CONTEST_ARMS]; // of the experiment
    unsigned count;
    uint64_t horizon; // ticks
};
struct contest_pair { // evidence that `worse` is worse than `better`, by yes-or-no outcomes
    struct two_sample evidence;
    struct guard_batch waiting; // baseline: better; candidate: worse
};
struct contest {
    struct contest_settings settings;
    struct guard_batch totals[CONTEST_ARMS]; // baseline: requests, baseline_events: events
    struct mean means[CONTEST_ARMS];
    struct contest_pair pairs[CONTEST_ARMS][CONTEST_ARMS]; // [better][worse]
    struct design designs[CONTEST_ARMS];                   // by arm
    struct score_groups groups[CONTEST_ARMS];              // of scores
    uint64_t next;                                         // tick
};

// The goal of a checked `ab` rollout, between all variants that have a weight. A latency's slot is the
// trial's to give (trial_take_goal).
void contest_read(struct contest_settings *settings, const struct route_config *route);
void contest_init(struct contest *contest, const struct contest_settings *settings, uint64_t now);
void contest_reset(struct contest *contest, uint64_t now);
void contest_advance(struct contest *contest, uint64_t now, const struct trial_source *source);
// How units hang together in the arm with this index in settings.arms, once in a while.
void contest_design(struct contest *contest, unsigned index, const struct experiment_group *groups);
// A score of the goal's metric. `arm` as in settings.arms; others are ignored. `unit_hash` as in guard_score.
void contest_score(struct contest *contest, size_t arm, double score, uint64_t unit_hash);

// Of a fleet, as trial_collect, trial_collect_score, trial_fits, trial_take and trial_take_groups.
void contest_collect(struct contest *contest, uint64_t now, const struct trial_source *source,
                     struct tally *tally);
void contest_collect_score(const struct contest *contest, size_t arm, double score, uint64_t unit_hash,
                           struct tally *tally, struct tally_groups *groups);
bool contest_fits(const struct contest *contest, const struct tally *tally);
bool contest_take(struct contest *contest, const struct tally *more);
void contest_take_groups(struct contest *contest, const struct tally_groups *groups);

struct contest_view { // of an ordered pair
    double log_e, log_needed;
    double difference, low, high; // better - worse in the metric's own unit; NAN: unknown
};
void contest_compare(const struct contest *contest, unsigned better, unsigned worse,
                     struct contest_view *view);
double contest_estimate(const struct contest *contest, unsigned index, double *count); // NAN: none
struct interval contest_interval(const struct contest *contest, unsigned index); // at the contest's alpha
int contest_winner(const struct contest *contest); // index in settings.arms; -1: none yet
// Requests (or scores) of all arms together until the best so far would have won; NAN: unknown.
double contest_left(const struct contest *contest);

// trial: the measuring of one candidate beside its baseline: reads matured ticks of both arms in order, feeds
// the guards, watches the sample ratio, and says what all guards together say. Pure: the caller brings time,
// ticks and histograms. Owner: the route's controller (control/rollouts) or a simulation.
#pragma once
#include "base/histogram.h"
#include "rollout/design.h"
#include "rollout/guard.h"
#include "rollout/sample_ratio.h"
#include "rollout/tally.h"
#include "rollout/tally_groups.h"

// Where ticks come from: experiment_read, or a simulation. False: the tick has gone.
struct trial_source {
    bool (*read)(void *context, size_t arm, uint64_t tick, struct experiment_cell *cell);
    void *context;
};

struct trial_other { // a candidate beside the first: an A/B test may have several
    size_t arm;
    const char *name; // of the variant; borrowed
};
struct trial_settings {
    const struct rollout_config *config; // borrowed
    size_t baseline, candidate;          // arms; baseline: the control slice where there is one
    size_t arms;                         // of the experiment
    struct trial_other others[SPLIT_ARMS];
    unsigned other_count;
};

struct trial {
    struct trial_settings settings;
    struct guard_levels levels;
    struct guard guards[GUARDS_MOST]; // of the first candidate, then the same of each other one
    unsigned guard_count;
    size_t watched; // the arm that has all the traffic
    struct experiment_thresholds thresholds;
    bool thresholds_known;
    struct guard_settings goal; // of an A/B test by a latency: all arms are held against one threshold
    bool has_goal;
    uint32_t version; // that experiment_set_thresholds gave; ticks of another say nothing of latency
    uint64_t horizon; // ticks
    struct design designs[DESIGN_KINDS];
    double share;           // the candidate's part of both arms' requests
    double log_ratio;       // evidence against the sample ratio
    bool ratio_broken;      // it was shown once: it stands until a person resumes
    uint64_t step_requests; // of the candidate, since the step began
    uint64_t counted;       // ticks before this one are in it
    uint64_t lost;          // ticks that were gone before they were read
};

// Everything begins at tick `now`: what started before it is not looked at.
void trial_init(struct trial *trial, const struct trial_settings *settings, uint64_t now);
// Another experiment: a new version, or changed margins. The baseline's history stays.
void trial_reset(struct trial *trial, uint64_t now);
// The configuration changed: guards that are the same as before keep their evidence, the others begin anew.
void trial_adopt(struct trial *trial, const struct trial_settings *settings, uint64_t now);
void trial_step_begins(struct trial *trial);
// After trial_init: an A/B test's goal. Where it is a latency it gets the next slot, and is aimed at with the
// guards: every arm at the quantile of the baseline so far.
void trial_take_goal(struct trial *trial, struct guard_settings *goal);

// Thresholds for the ticks that begin after the caller has set them, from the baseline's time histograms.
// False: as they were (the caller need not set them again). Afterwards trial->version must be set to what the
// experiment gave.
bool trial_aim(struct trial *trial, const struct histogram *whole, const struct histogram *first_byte);
// Reads every tick that has matured at tick `now`; `elapsed_ms` have passed since the last call.
void trial_advance(struct trial *trial, uint64_t now, int64_t elapsed_ms, const struct trial_source *source);
// How units hang together (experiment_groups), once in a while.
void trial_design(struct trial *trial, const struct experiment_group *baseline,
                  const struct experiment_group *candidate);
double trial_design_effect(const struct trial *trial, const struct guard *guard); // that it is judged with
// First-seen units by arm and the shares that the weights give them (0 where an arm is not used).
void trial_ratio(struct trial *trial, const uint64_t *units, const double *shares);
void trial_watch(struct trial *trial, bool watching,
                 size_t arm); // the arm has all the traffic: a candidate's

// What all say; outcomes has room for GUARDS_MOST. judgement->because points into outcomes or is a literal.
void trial_judge(struct trial *trial, struct guard_outcome *outcomes, struct judgement *judgement);
// Whether a guard or signal has this name and takes scores; it gets the score, of any arm.
bool trial_score(struct trial *trial, const char *name, size_t arm, double score, uint64_t unit_hash);

// ---- of a fleet (docs/statistics.md, "Of a whole fleet"): every instance collects, the one who judges takes

// Reads what trial_advance reads, by the same rules, and adds it to the tally instead of feeding the guards.
void trial_collect(struct trial *trial, uint64_t now, const struct trial_source *source, struct tally *tally);
// As trial_score, into the tally and the groups.
bool trial_collect_score(const struct trial *trial, const char *name, size_t arm, double score,
                         uint64_t unit_hash, struct tally *tally, struct tally_groups *groups);
// Whether the tally counts what these guards count. Of every instance's, before it is added to others'.
bool trial_fits(const struct trial *trial, const struct tally *tally);
// One batch: what is new in the tallies of all instances (tally_minus, tally_add), `elapsed_ms` after the
// last one. Called by the clock, also when nothing is new. False: it does not fit, and nothing was taken.
bool trial_take(struct trial *trial, const struct tally *more, int64_t elapsed_ms);
// The groups of all instances together, once in a while: trial_design, and the same for scores.
void trial_take_groups(struct trial *trial, const struct tally_groups *groups);
// Instead of trial_ratio: the sample ratio's log e-value of all instances (sample_ratio_pool).
void trial_take_ratio(struct trial *trial, double log_e);

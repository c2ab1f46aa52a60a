// guard: one metric of a candidate beside its baseline: what is known, and the judgement of it. Also for
// signals (harm holds instead of rolling back) and absolute limits. Pure; the state is plain data, so that
// the journal can keep it. Owner: the trial.
//
// Errors and latencies are yes-or-no outcomes by tick (two_sample.h): an error; slower than the baseline's
// quantile was before the tick began, where the candidate's threshold is `margin` further up. Costs, rates of
// tokens and scores are means (mean.h). A metric from Prometheus is compared as it is: it has no evidence of
// its own.
//
// Three questions are asked of each: is it worse than the margin allows (harm), is it shown to be no worse
// (fine), and the same with the slack that a step which is not the last is granted (step).
#pragma once
#include "config/rollout.h"
#include "metrics/experiment.h"
#include "rollout/design.h"
#include "rollout/interval.h"
#include "rollout/machine.h"
#include "rollout/mean.h"
#include "rollout/score_groups.h"
#include "rollout/two_sample.h"

enum guard_kind {
    GUARD_ERROR_RATE,
    GUARD_LATENCY,  // a quantile of the whole request's or the first byte's time
    GUARD_MEAN,     // counted by the workers: cost, tokens per second
    GUARD_SCORE,    // posted as feedback
    GUARD_EXTERNAL, // from Prometheus
};
enum guard_role { GUARD_GUARD, GUARD_SIGNAL, GUARD_LIMIT };
const char *guard_role_name(enum guard_role role);
struct guard_settings;
const char *guard_unit(const struct guard_settings *settings); // of its estimates: "share", "dollars" …

struct guard_settings {
    const char *name;  // borrowed from the configuration
    const char *label; // of the candidate, where there are several; NULL
    size_t candidate;  // its arm
    enum guard_kind kind;
    enum guard_role role;
    bool dry_run;
    double margin; // as written: percentage points, percent of the baseline's, or score points
    double limit;  // absolute: a share, microseconds, or an external value; NAN: none
    // latency
    double quantile;
    bool first_byte;
    unsigned slot; // of the experiment's thresholds
    // means
    enum experiment_mean mean;
    bool less_is_worse;
};
// What the metric of that name is; the rest of *settings is zero.
void guard_read_metric(const char *name, struct guard_settings *settings);
// Reads everything that a rollout judges: guards, signals, limits; returns how many. `most` is at least
// GUARDS_MOST. Slots of latencies are given in order; *first_byte gets their kinds.
#define GUARDS_MOST 32
unsigned guards_read(const struct rollout_config *config, struct guard_settings *settings,
                     uint32_t *first_byte);

struct guard_levels {  // what evidence must reach
    double alpha_harm; // per rollout; divided by `acting`
    double alpha_fine;
    unsigned acting; // guards and limits that may roll back
};
double guard_needed_harm(const struct guard_levels *levels); // natural logarithm of the e-value

struct guard_batch { // outcomes that wait until both arms have some
    double baseline, baseline_events, candidate, candidate_events;
};
void guard_batch_add(struct guard_batch *batch, const struct guard_batch *more);
bool guard_batch_holds(const struct guard_batch *batch); // no more events than outcomes, none negative

struct guard { // plain data but for `settings.name`
    struct guard_settings settings;
    struct two_sample harm, soon, fine, step; // soon: of failures within EXPERIMENT_SOON_NS
    struct two_sample watch, watch_soon; // against what the baseline was, when it gets no traffic any more
    bool watching;
    struct guard_batch waiting, waiting_soon, total, total_soon; // total: of this experiment
    struct guard_batch history; // the baseline's, since it is measured at all
    struct mean baseline, candidate;
    struct score_groups groups[2]; // of scores: baseline, candidate
    struct design design;          // of scores
    double external[2];            // baseline, candidate: the last values; NAN: none
    char external_error[160];
    unsigned external_bad; // values beyond the line, in a row
    bool harmful;          // it was shown once: it stands
    int64_t silent_ms;     // since the candidate was last counted
    // not kept by the journal
    uint64_t next, next_soon; // ticks to read
    uint64_t unjudged;        // requests of the candidate since one was judged: 4xx, clients that went
};

void guard_init(struct guard *guard, const struct guard_settings *settings);
void guard_reset(struct guard *guard); // another experiment begins; the baseline's history stays
// The outcomes of one matured tick, of both arms. `soon`: those of failures within EXPERIMENT_SOON_NS.
void guard_feed(struct guard *guard, const struct guard_batch *batch, bool soon);
void guard_feed_means(struct guard *guard, const struct experiment_sum *baseline,
                      const struct experiment_sum *candidate);
// `unit_hash`: whose answer it was; SCORE_WITHOUT_UNIT.
void guard_score(struct guard *guard, bool candidate, double score, uint64_t unit_hash);
// Scores that were fed as means: how they hang together, of baseline and candidate, instead of what was
// known.
void guard_take_groups(struct guard *guard, const struct score_groups *groups);
// One answer of Prometheus; `error` NULL: the values are right. `baseline` NAN where only a maximum is asked.
void guard_external(struct guard *guard, double baseline, double candidate, const char *error);
// The candidate has everything: it is compared with what the baseline was (or again with the baseline).
void guard_watch(struct guard *guard, bool watching);

struct guard_outcome {
    enum verdict verdict, step_verdict;
    double log_harm, log_fine, log_step;     // natural logarithms of the e-values
    double log_needed_harm, log_needed_fine; // what they must reach
    double requests_left;                    // of both arms, until it is shown to be fine; NAN: unknown
    double baseline_count, baseline_events, candidate_count, candidate_events;
    double baseline_estimate, candidate_estimate; // NAN: none
    double low, high;  // of the difference candidate - baseline, at the rollout's confidence; NAN
    uint64_t unjudged; // of the guard
    char because[256];
};
// `design_effect` >= 1; `share`: the candidate's part of both arms' requests, for requests_left.
void guard_judge(struct guard *guard, const struct guard_levels *levels, double design_effect, double share,
                 struct guard_outcome *outcome);
// The difference candidate - baseline, in the unit of the estimates, at which the margin ends; NAN: none
// (limits).
double guard_allowed(const struct guard *guard, const struct guard_outcome *outcome);
// Where the candidate's (or the baseline's) own estimate lies, whatever the other's is; NAN: unknown.
struct interval guard_interval(const struct guard *guard, const struct guard_outcome *outcome, bool candidate,
                               double design_effect, double alpha);
// guard_words.c
void guard_explain(const struct guard *guard, const struct guard_levels *levels,
                   struct guard_outcome *outcome);

// two_sample: evidence about two streams of yes-or-no outcomes, baseline and candidate, that stays valid
// however often one looks: a batch e-process against a line of tolerance. Pure; plain data, so that the
// journal can keep it.
//   harm:            H0  candidate <= rho * baseline + delta     a large e-value says: worse
//   non-inferiority: H0  candidate >= rho * baseline + delta     a large e-value says: not worse
// Sources: R. Turner, A. Ly, P. Gruenwald, "Generic E-variables for exact sequential k-sample tests", 2021
// (rho = 1, delta = 0); the projection on other lines is the reverse information projection of Gruenwald, de
// Heide, Koolen, "Safe testing", 2019; Ville's inequality: P(ever e >= 1/alpha) <= alpha. Derivations:
// docs/statistics.md.
#pragma once
#include <stdbool.h>

#define TWO_SAMPLE_MOST 11 // alternatives that are mixed

enum two_sample_direction { TWO_SAMPLE_HARM, TWO_SAMPLE_NON_INFERIOR };

struct two_sample_settings {
    enum two_sample_direction direction;
    double rho, delta;   // rho 0: the line is the constant delta, and only the candidate counts
    double prior_mean;   // of the baseline's rate before anything was seen; 0.01 for errors
    double prior_weight; // in requests; 50
    unsigned
        restart_every; // harm: batches after which a product begins afresh, so that late harm is seen; 10
    double decay;      // of the baseline's history per batch; 1: none
};
// Of the baseline's requests some are events; products are finite, what is restarted too or -inf; and there
// are no more restarts than batches for them (two_sample_holds).
struct two_sample {
    struct two_sample_settings settings;
    unsigned count;                    // of alternatives
    double product[TWO_SAMPLE_MOST];   // log of the plain product, by alternative
    double restarted[TWO_SAMPLE_MOST]; // log of the weighted sum of restarted products; -inf: none yet
    double seen, events;               // the baseline's history
    unsigned batches, restarts;
};

void two_sample_init(struct two_sample *process, const struct two_sample_settings *settings);
bool two_sample_holds(const struct two_sample *process);
// What the baseline did before: only the quality of the guess depends on it, never the validity.
void two_sample_seed(struct two_sample *process, double seen, double events);
// One batch: outcomes of both arms that belong together in time. Events may be fractional (sums of scores
// 0..1). A batch in which an arm is empty (with rho 0: the candidate) says nothing: carry it over instead.
void two_sample_update(struct two_sample *process, double baseline, double baseline_events, double candidate,
                       double candidate_events);
// The logarithm of the e-value; design_effect >= 1 tempers it where requests of one unit hang together.
double two_sample_log_e(const struct two_sample *process, double design_effect);
// The same, less what tempering adds to the stakes of the restarts (the root of a stake is larger than the
// stake; at most 0.28, nothing when design_effect is 1): this one is judged.
double two_sample_evidence(const struct two_sample *process, double design_effect);

// The point of the line nearest to (baseline, candidate) in relative entropy, weighted by the sizes.
void two_sample_project(double baseline_size, double candidate_size, double baseline, double candidate,
                        double rho, double delta, double *on_baseline, double *on_candidate);
// The log e-value of one batch for one alternative; 0 where the line has no point inside (0, 1).
double two_sample_batch(double baseline, double baseline_events, double candidate, double candidate_events,
                        double rate_baseline, double rate_candidate, double rho, double delta);

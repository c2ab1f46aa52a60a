// design: the design effect of a comparison as it is measured again and again: evidence is divided by it. It
// is measured on groups of units that a restart of the daemon, or a route with other variants, begins anew,
// while the evidence is older than that: until the groups have seen as many requests as they had, it does not
// fall. Pure; plain data, for the journal. Owner: the trial or the contest.
#pragma once
#include "metrics/experiment.h"

#define DESIGN_SMALL_SHARE  0.2 // below it, the candidate's own figures are not looked at
#define DESIGN_LEAST_GROUPS 20  // of an arm, and
#define DESIGN_LEAST_EVENTS 5   // … before its own figures say anything

struct design {
    double effect;   // at least 1
    double requests; // of the baseline, that it was measured on
    double before, requests_before;
};
#define DESIGN_NONE ((struct design){.effect = 1, .before = 1})

void design_measured(struct design *design, double effect, double requests);

// What is judged of a request.
enum design_kind { DESIGN_FAILED, DESIGN_SLOW, DESIGN_SLOW_FIRST_BYTE, DESIGN_MEANS };
#define DESIGN_KINDS (DESIGN_MEANS + EXPERIMENT_MEANS) // DESIGN_MEANS + MEAN_COST …

// Of one arm. `unit_variance`: of single values, for means; NAN: of yes-or-no outcomes.
double design_of_arm(const struct experiment_group *groups, int kind, double unit_variance, double *requests);
// Of a baseline and a candidate that gets `share` of the requests of both.
double design_of_pair(const struct experiment_group *baseline, const struct experiment_group *candidate,
                      int kind, double unit_variance, double share, double *requests);

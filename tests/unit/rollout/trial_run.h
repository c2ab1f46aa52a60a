// trial_run: one trial over simulated ticks: arms whose requests fail and take time by chance, seeded.
#pragma once
#include "config/config.h"
#include "rollout/trial.h"

#define START UINT64_C(100000)
#define ARMS  3

struct arm {                                // what its requests are like
    double per_tick, error_rate, slow_rate; // slow_rate: beyond the threshold of its arm
    bool errors_late;                       // they take 10 s to fail
    bool refuses;                           // all are answered 4xx
};
struct world {
    struct arm arms[ARMS];
    uint64_t now, seed;
    bool gone; // ticks cannot be read
};

struct trial_run {
    struct config *config;
    struct trial trial;
    struct world world;
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
};

// `rollout`: keys of the rollout beside its strategy and steps.
void trial_run_begin(struct trial_run *run, const char *rollout, uint64_t seed);
void trial_run_end(struct trial_run *run);
struct config *trial_run_configure(const char *rollout);
enum verdict trial_run_tick(struct trial_run *run);
// Ticks until the verdict comes; 0: not within `most`.
unsigned trial_run_until(struct trial_run *run, enum verdict verdict, unsigned most);

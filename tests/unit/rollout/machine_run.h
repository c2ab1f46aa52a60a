// machine_run: one machine in a test: its plan, what is sent to it and what came of it last.
#pragma once
#include "rollout/machine.h"
#include "unit.h"

struct run {
    struct rollout_plan plan;
    struct machine machine;
    struct judgement judgement; // of the next tick
    struct rollout_outcome outcome;
    uint16_t weights[SPLIT_ARMS]; // of EVENT_WEIGHTS
};
struct rollout_plan canary(void); // 1, 5 %, a pause, 25, 100 %
void run_begin(struct run *run, struct rollout_plan plan);
enum rollout_state run_send(struct run *run, enum rollout_event_kind kind);
enum rollout_state run_tick(struct run *run, int64_t ms);
void run_say(struct run *run, enum verdict verdict); // what all guards say from now on
#define AT(run, state_, step_, weight_)                               \
    do {                                                              \
        assert_int_equal((run)->machine.state, state_);               \
        assert_int_equal((run)->machine.step, step_);                 \
        assert_int_equal((run)->machine.weights[1], weight_);         \
        assert_int_equal((run)->machine.weights[0], 10000 - weight_); \
    } while (0)

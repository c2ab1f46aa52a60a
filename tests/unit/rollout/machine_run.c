#include "machine_run.h"

struct rollout_plan canary(void) {
    return (struct rollout_plan){
        .strategy = ROLLOUT_CANARY,
        .candidate = 1,
        .variant_count = 2,
        .steps = {{100, 60000, 100}, {500, 60000, 0}, {-1, 0, 0}, {2500, 60000, 0}, {10000, 0, 0}},
        .step_count = 5,
        .start_by_version = true,
        .step_timeout_ms = 600000,
        .keep_warm_ms = 60000,
        .watch_ms = 120000,
        .file_weights = {9500, 500},
    };
}

void run_begin(struct run *run, struct rollout_plan plan) {
    *run = (struct run){.plan = plan};
    run->judgement = (struct judgement){.guards = VERDICT_WAIT,
                                        .step = VERDICT_WAIT,
                                        .winner = -1,
                                        .step_requests = 1000,
                                        .because = "figures"};
    machine_init(&run->machine, &run->plan);
}

enum rollout_state run_send(struct run *run, enum rollout_event_kind kind) {
    struct rollout_event event = {
        .kind = kind, .version = "v2", .weights = run->weights, .judgement = &run->judgement};
    machine_step(&run->machine, &run->plan, &event, &run->outcome);
    return run->machine.state;
}

enum rollout_state run_tick(struct run *run, int64_t ms) {
    struct rollout_event event = {.kind = EVENT_TICK, .elapsed_ms = ms, .judgement = &run->judgement};
    machine_step(&run->machine, &run->plan, &event, &run->outcome);
    return run->machine.state;
}

void run_say(struct run *run, enum verdict verdict) {
    run->judgement.guards = run->judgement.step = verdict;
}

// The names that metrics, the API and the journal use.
#include "rollout/machine.h"

#include "base/mem.h"

#define NAME(names, index) (must((size_t)(index) < sizeof(names) / sizeof *(names)), (names)[index])

const char *rollout_strategy_name(enum rollout_strategy strategy) {
    static const char *const names[] = {"canary", "blue_green", "rolling", "ab"};
    return NAME(names, strategy);
}

const char *rollout_state_name(enum rollout_state state) {
    static const char *const names[] = {"idle",  "gates",    "hook",         "step",        "paused",
                                        "watch", "promoted", "rolling_back", "rolled_back", "stopped"};
    return NAME(names, state);
}

const char *rollout_hold_name(enum rollout_hold hold) {
    static const char *const names[] = {"none",  "person",       "by_hand",      "no_data",
                                        "error", "signal",       "sample_ratio", "gate",
                                        "hook",  "inconclusive", "journal",      "fleet"};
    return NAME(names, hold);
}

const char *verdict_name(enum verdict verdict) {
    static const char *const names[] = {"pass", "wait", "no_data", "error", "fail"};
    return NAME(names, verdict);
}

const char *decision_action_name(enum decision_action action) {
    static const char *const names[] = {"none",     "start",   "gate",    "step",    "pause",
                                        "resume",   "hold",    "release", "promote", "complete",
                                        "rollback", "weights", "winner",  "stop",    "cool"};
    return NAME(names, action);
}

bool rollout_state_judged(enum rollout_state state) {
    return state == ROLLOUT_HOOK || state == ROLLOUT_STEP || state == ROLLOUT_PAUSED ||
           state == ROLLOUT_WATCH;
}

bool rollout_state_running(enum rollout_state state) {
    return state == ROLLOUT_GATES || state == ROLLOUT_ROLLING_BACK || rollout_state_judged(state);
}

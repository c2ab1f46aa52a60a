// machine: what a rollout does next. Pure: a state and an event go in, a state, acts and a decision come out;
// no clock, no socket, no thread. The control thread owns it: it journals what comes out, then acts on it,
// then publishes. The state is plain data, so that the journal can keep it and bring it back
// (control/journal).
//
// One table (machine_rules) says which event is taken in which state and what follows; docs/rollouts.md is
// written from it. Strategies are the same machine over different steps:
//   canary      the steps of the file
//   blue_green  [pause, when `switch: manual`] and one step of 100 %
//   ab          one step that ends by a winner; the file's weights stay
//   rolling     one step per batch of endpoints; its weights never change
// All weights are basis points. All times are milliseconds that have passed while the daemon ran and the
// machine was ticked: a stop of the daemon never makes a step pass sooner.
#pragma once
#include "config/rollout.h"
#include "traffic/split.h"

const char *rollout_strategy_name(enum rollout_strategy strategy); // as in the file

enum rollout_state {
    ROLLOUT_IDLE,         // nothing is tried: the file's weights, or a person's
    ROLLOUT_GATES,        // smoke tests and the evaluation are asked, before the first step
    ROLLOUT_HOOK,         // before the step: hooks.before_step is asked, or a reload left it here while held
    ROLLOUT_STEP,         // a step's weight is live and being judged
    ROLLOUT_PAUSED,       // a `pause: manual` step waits for `sluice promote`
    ROLLOUT_WATCH,        // the candidate has everything; guards go on judging
    ROLLOUT_PROMOTED,     // over; within keep_warm one command is one switch back
    ROLLOUT_ROLLING_BACK, // the weights return bit by bit (`rollback: {over: …}`)
    ROLLOUT_ROLLED_BACK,  // over
    ROLLOUT_STOPPED,      // rolling: an update failed; ab: max_duration passed without a winner
    ROLLOUT_STATES
};
const char *rollout_state_name(enum rollout_state state); // "idle", "gates" …: metrics, API, journal
bool rollout_state_running(enum rollout_state state);     // something is being tried
bool rollout_state_judged(enum rollout_state state);      // guards judge in it

// Why the machine does not step on although its time may have come. The guards judge nevertheless.
enum rollout_hold {
    HOLD_NONE,
    HOLD_PERSON,       // `sluice pause`
    HOLD_BY_HAND,      // `sluice weight`: the controller changes nothing until `sluice resume`
    HOLD_NO_DATA,      // a guard has no figures
    HOLD_ERROR,        // a guard's source failed
    HOLD_SIGNAL,       // a signal shows harm
    HOLD_SAMPLE_RATIO, // units do not arrive in the configured proportion: no verdicts at all
    HOLD_GATE,         // a gate before the first step failed
    HOLD_HOOK,         // before_step answered other than 2xx, or not at all
    HOLD_INCONCLUSIVE, // step_timeout passed without evidence, `inconclusive: hold`
    HOLD_JOURNAL,      // what is decided cannot be written to disk
    HOLD_FLEET,        // members of the fleet have other rollouts in their files, or cannot be heard
    ROLLOUT_HOLDS
};
const char *rollout_hold_name(enum rollout_hold hold); // "none", "person" …

// One judgement, of one guard or of all together. The order is that of what wins when several come together.
enum verdict {
    VERDICT_PASS,    // shown to be no worse than the margin allows
    VERDICT_WAIT,    // not enough evidence yet
    VERDICT_NO_DATA, // nothing to judge by
    VERDICT_ERROR,   // the source failed
    VERDICT_FAIL,    // shown to be worse
    VERDICTS
};
const char *verdict_name(enum verdict verdict); // "pass", "wait", "no_data", "error", "fail"

// What all guards together say at one tick (rollout/judge.h).
struct judgement {
    enum verdict guards;      // the worst of those that count; PASS when there are none
    enum verdict step;        // the same by the easier measure of a step that is not the last
    enum verdict signals;     // FAIL: hold
    bool sample_ratio_broken; // a sample-ratio mismatch
    int winner;               // ab: the variant that won; -1: none yet
    uint64_t step_requests;   // of the candidate since the step began
    const char *because;      // one sentence with its figures, for what decides; never NULL
    // NULL: the members of the fleet have the same rollout in their files, or there is no fleet. Else one
    // sentence with which instance differs, or why none is heard: held at once, and time in the state stands
    // still. Not looked at for a rolling update, which no fleet has.
    const char *fleet_differs;
};

enum rollout_event_kind {
    EVENT_TICK,         // `elapsed_ms` have passed; `judgement` is what the guards say
    EVENT_VERSION,      // the candidate's version is not the one that was last tried (start: auto)
    EVENT_GATES_PASSED, // all gates before the first step
    EVENT_GATES_FAILED, // `because` says which
    EVENT_HOOK_PASSED,
    EVENT_HOOK_FAILED,    // `because`
    EVENT_BATCH_DONE,     // rolling: a batch of endpoints is updated and healthy again
    EVENT_BATCH_FAILED,   // rolling: `because`
    EVENT_JOURNAL_FAILED, // `because`
    EVENT_JOURNAL_WORKS,
    // a person's
    EVENT_PROMOTE, // pass a pause, a gate or a hook; or go to the next step now; or start (start: manual);
                   // or, after a rollback and within keep_warm, switch back
    EVENT_PROMOTE_FULL, // straight to 100 %
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_ROLLBACK,
    EVENT_RETRY,   // from the first step, with fresh evidence
    EVENT_WEIGHTS, // `weights`
    ROLLOUT_EVENTS
};

struct rollout_event {
    enum rollout_event_kind kind;
    int64_t elapsed_ms;                // EVENT_TICK: since the last one
    const struct judgement *judgement; // EVENT_TICK; of others fleet_differs only, and it may be NULL: what
                                       // starts or resumes then is held from its first moment
    const char *because;               // a person's reason or a failure; may be NULL
    const uint16_t *weights;           // EVENT_WEIGHTS: by variant
    const char *version; // EVENT_VERSION, EVENT_RETRY, EVENT_PROMOTE that starts: the candidate's
};

// What the machine has to know of the configuration. Borrowed from it by whoever builds it.
struct rollout_step_plan {
    int64_t weight;        // basis points for the candidate; -1: a manual pause
    int64_t duration_ms;   // at least
    uint64_t min_requests; // of the candidate, at least
};
#define ROLLOUT_STEPS ROLLOUT_STEPS_MOST
struct rollout_plan {
    enum rollout_strategy strategy;
    size_t baseline, candidate, variant_count;
    struct rollout_step_plan steps[ROLLOUT_STEPS]; // rolling: not used, there may be more batches
    unsigned step_count;
    bool gated;            // there are gates before the first step
    bool hooked;           // there is hooks.before_step
    bool start_by_version; // start: auto
    enum inconclusive inconclusive;
    enum on_winner on_winner;
    int64_t step_timeout_ms, rollback_over_ms, keep_warm_ms, watch_ms, max_duration_ms; // 0: none
    uint64_t members; // rolling: tells one list of endpoints and size of a batch from another
    uint16_t file_weights[SPLIT_ARMS];
};
// From a checked configuration; `pool` is the baseline's, needed for a rolling update only.
void rollout_plan_read(struct rollout_plan *plan, const struct route_config *route,
                       const struct pool_config *pool);

#define ROLLOUT_VERSION_BYTES 128
struct machine { // plain data: the journal keeps it whole
    enum rollout_state state;
    enum rollout_hold hold;
    unsigned step;                       // index of the step that is live or comes next
    char version[ROLLOUT_VERSION_BYTES]; // the candidate's that is or was tried last; "" none
    uint16_t weights[SPLIT_ARMS];        // live, by variant
    uint16_t reached;                    // the candidate's of the last step that was live; 0: none yet
    uint16_t asked;                      // HOOK: the weight of the step that it stands before
    uint16_t from_weight;                // ROLLING_BACK: the candidate's when it began
    enum rollout_state left;             // where it was taken back from: what one switch returns to
    uint64_t members;                    // rolling: the plan's when the update began
    int64_t state_ms;                    // time in this state (of this step)
    int64_t total_ms;                    // since the rollout began
    int winner;                          // ab; -1
    bool warm;                           // keep_warm has not passed since the end
    enum rollout_hold trouble;           // NO_DATA, ERROR or SIGNAL since trouble_ms: a hold once it lasts
    int64_t trouble_ms;
    bool skipped_by_person; // a gate or a pause was passed by a person, not by evidence
};

// What the caller has to do, in this order, after it has journalled the decision.
enum rollout_act {
    ACT_WEIGHTS = 1,         // make machine->weights live
    ACT_FRESH_EVIDENCE = 2,  // forget what was measured: another experiment begins
    ACT_STEP_BEGINS = 4,     // count the step's requests from here
    ACT_STOP_ASKING = 8,     // whatever of gates, hooks and batches is under way counts no more
    ACT_ASK_GATES = 16,      // run the gates; their outcome is an event
    ACT_ASK_HOOK = 32,       // ask hooks.before_step for machine->step
    ACT_BATCH = 64,          // rolling: update the batch machine->step
    ACT_TELL_PROMOTE = 128,  // hooks.on_promote
    ACT_TELL_ROLLBACK = 256, // hooks.on_rollback
    ACT_COOL = 512,          // keep_warm has passed
};

// What is recorded: sluice_decisions_total{action}.
enum decision_action {
    DECISION_NONE, // nothing to record (most ticks)
    DECISION_START,
    DECISION_GATE, // gates passed, or failed and held
    DECISION_STEP, // to the next step
    DECISION_PAUSE,
    DECISION_RESUME,
    DECISION_HOLD,
    DECISION_RELEASE,  // a hold has gone by itself
    DECISION_PROMOTE,  // to 100 %
    DECISION_COMPLETE, // the watch has passed, or all endpoints are updated
    DECISION_ROLLBACK,
    DECISION_WEIGHTS,
    DECISION_WINNER,
    DECISION_STOP,
    DECISION_COOL,
    DECISION_ACTIONS
};
const char *decision_action_name(enum decision_action action); // "start", "step" …

struct rollout_outcome {
    unsigned acts; // of enum rollout_act
    enum decision_action action;
    char because[400];   // the one sentence: why
    const char *refused; // a person's event that cannot be taken now: why not; the machine is unchanged
};

// A machine that has tried nothing yet: IDLE with the file's weights.
void machine_init(struct machine *machine, const struct rollout_plan *plan);
void machine_step(struct machine *machine, const struct rollout_plan *plan, const struct rollout_event *event,
                  struct rollout_outcome *outcome);

// The configuration changed under a rollout (a reload, or a restart with another file). `same`: the strategy,
// the baseline and the candidate are what they were (the caller has put machine->weights into the file's
// order). The same with the same version goes on with its live weights, in front of what follows them in the
// new list (machine_adopt.c); a rolling update whose endpoints are others stops. All else goes to IDLE with
// the file's weights, and outcome says so; a new version then starts by EVENT_VERSION. Always leaves a
// machine that fits the plan.
void machine_adopt(struct machine *machine, const struct rollout_plan *plan, const char *version, bool same,
                   struct rollout_outcome *outcome);

// Whether guards that fail may take the traffic back now (not by hand, not over, no sample-ratio mismatch).
bool machine_may_roll_back(const struct machine *machine);

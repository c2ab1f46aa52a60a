// rollouts: the controllers of all routes that have a rollout. Each tick they read what the workers counted,
// judge it (rollout/trial.h), ask the machine (rollout/machine.h), write the decision to the journal and only
// then act on it. Control thread; nothing here blocks but the journal's writes.
#pragma once
#include "base/error.h"
#include "control/emit.h"
#include "notifier.h"
#include "rollout/machine.h"

struct control;
struct plan;
struct rollouts;
struct rollouts *rollouts_new(struct control *control);
// The daemon ends: nothing is judged any more, and whoever is to be told gets a last chance, now.
void rollouts_hurry(struct rollouts *rollouts);
bool rollouts_busy(const struct rollouts *rollouts); // somebody has not been told yet
// Another process goes on with them: everything is saved, nothing is judged or asked any more, and the
// journal is let go. False and *error: the journal cannot be written, and they go on here.
bool rollouts_freeze(struct rollouts *rollouts, struct error *error);
// That process has ended: they go on here from what the journal says.
void rollouts_thaw(struct rollouts *rollouts);
void rollouts_count_anew(struct rollouts *rollouts); // a fleet's new evidence: groups are wanted soon
bool rollouts_are_frozen(const struct rollouts *rollouts);
void rollouts_free(struct rollouts *rollouts); // saves first; NULL is allowed

// Phase one of a reload: controllers for the configuration of *plan, those that stay with all they know, the
// others from the journal, which is opened when the first is needed. *plan is replaced by one that has the
// weights which running rollouts give. NULL: *error says what cannot be, and *route which route it is about.
struct rollouts_change;
struct rollouts_change *rollouts_prepare(struct rollouts *rollouts, struct plan **plan, size_t *route,
                                         struct error *error);
void rollouts_abandon(struct rollouts_change *change); // NULL is allowed
// Phase two, after publisher_adopt: cannot fail. Decisions that the change brought are journalled and carried
// out.
void rollouts_commit(struct rollouts *rollouts, struct rollouts_change *change);

bool rollouts_has(const struct rollouts *rollouts, size_t route); // it has a `rollout`
// The route whose rollout moves the weights of this one: itself, or the one of its experiment that has one;
// or NO_ROUTE.
size_t rollouts_leader(const struct rollouts *rollouts, size_t route);
bool rollouts_rules(const struct rollouts *rollouts,
                    size_t route); // … or is led by one, and its weights are the controller's now

// A person's command: EVENT_PROMOTE, EVENT_PROMOTE_FULL, EVENT_PAUSE, EVENT_RESUME, EVENT_ROLLBACK,
// EVENT_RETRY or EVENT_WEIGHTS with `weights`; `reason` may be NULL. done: once, maybe from inside; `refused`
// NULL: it was carried out, by the live plan. A fleet's leader may be another instance, which takes a moment.
struct rollout_command {
    enum rollout_event_kind kind;
    const uint16_t *weights;
    const char *reason;
};
struct rollout_reply {
    void (*done)(const struct error *refused, void *context);
    void *context;
};
void rollouts_command(struct rollouts *rollouts, size_t route, const struct rollout_command *command,
                      struct rollout_reply reply);

// A score of one answer, 0..1, of a metric by name (`quality` or any other). False: no guard asks for it.
// `unit_hash`: of whose answer it was, or SCORE_WITHOUT_UNIT.
bool rollouts_feedback(struct rollouts *rollouts, size_t route, size_t variant, const char *metric,
                       double score, uint64_t unit_hash);

// JSON, each one value: the state and the judgement as they are (null without a rollout), the last decisions
// (an array, newest last), the report of the variants' figures, and how long each step must last at `rps`
// requests a second.
void rollouts_emit(const struct rollouts *rollouts, size_t route, struct emit *emit);
void rollouts_emit_decisions(const struct rollouts *rollouts, size_t route, unsigned last, struct emit *emit);
void rollouts_emit_report(const struct rollouts *rollouts, size_t route, struct emit *emit);
void rollouts_emit_plan(const struct rollouts *rollouts, size_t route, double rps, struct emit *emit);

// Called with the JSON of each decision after it was carried out; NULL: nobody.
void rollouts_listen(struct rollouts *rollouts, void (*decided)(struct slice decision, void *context),
                     void *context);

// What /metrics shows.
struct rollout_metrics {
    enum rollout_state state;
    enum rollout_hold hold;
    unsigned step;
    bool journal_failing;
    const uint64_t *decisions; // by enum decision_action
    unsigned guard_count;
    double evidence_needed; // log10 of the e-value that takes the candidate back
};
bool rollouts_metrics(const struct rollouts *rollouts, size_t route, struct rollout_metrics *metrics);
// log10 of the e-value against the candidate, by guard.
double rollouts_evidence(const struct rollouts *rollouts, size_t route, unsigned guard, const char **name);
struct notifier_counts rollouts_notifications(const struct rollouts *rollouts);

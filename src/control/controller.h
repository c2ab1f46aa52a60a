// controller: the rollout of one route: its machine, its trial, and what is known of both. Owner: rollouts.
// Control thread.
#pragma once
#include "asks.h"
#include "control.h"
#include "journal.h"
#include "rollout/contest.h"
#include "rollout_record.h"

struct share;
struct controller {
    struct control *control;
    struct journal *journal; // the rollouts'
    char *name;              // of the route; owned
    size_t route;            // its index in the live plan
    const struct route_config *config;
    struct experiment *experiment; // with a reference
    struct rollout_plan plan;
    struct machine machine;
    struct trial trial;
    struct contest *contest; // ab; NULL otherwise
    char goal_because[256];  // what the contest says
    struct guard_outcome outcomes[GUARDS_MOST];
    struct judgement judgement;
    uint64_t decision_number;
    struct strbuf decision, because; // the last one's JSON and sentence
    struct strbuf unlisted;          // decisions that could not be written when they were carried out; lines
    uint64_t decisions[DECISION_ACTIONS];
    enum rollout_state state_before; // the last decision
    struct asks *asks;               // NULL until the plan is live
    struct share *share;             // with a fleet; NULL: the rollout is this daemon's own
    bool alone;                      // the journal: the candidate was taken back here while etcd was away
    bool journal_failing;
    uint64_t ticked_ns, saved_ns, looked_ns; // monotonic; looked: at what costs more than a tick should
    void (*decided)(const struct controller *controller, void *context); // may be NULL
    void *decided_context;
};

// Of a route that has a rollout; nothing is journalled or live yet. `shared`: by a fleet.
struct controller *controller_new(struct control *control, struct journal *journal,
                                  const struct route_config *config, size_t route,
                                  struct experiment *experiment, const struct pool_config *pool, bool shared);
void controller_free(struct controller *controller); // NULL is allowed
// What was kept of another life: the journal's, or the one before a reload. *same: strategy and arms are what
// they were.
bool controller_restore(struct controller *controller, struct slice text, bool *same, struct error *error);
void controller_write(const struct controller *controller,
                      struct strbuf *out); // what controller_restore reads

void controller_weights(const struct controller *controller, uint16_t *weights); // that are to be live

void controller_tick(struct controller *controller, uint64_t now_ns);
// Sends an event; false: a person's was refused, and *error says why. With a fleet not a person's
// (share_command): the others wait for their turn.
bool controller_send(struct controller *controller, const struct rollout_event *event, struct error *error);
// What came of an event that was sent to the machine before the plan was live.
void controller_carry_out(struct controller *controller, const struct machine *before,
                          const struct rollout_outcome *outcome, enum rollout_event_kind kind);
// The plan is live: who has to be asked and told can be. `before` (NULL: none) had the route until now and
// gives what it has under way and has not written. After a restart or a reload what it waits for is asked
// again.
void controller_go_live(struct controller *controller, const struct asks_settings *settings,
                        struct controller *before);
void controller_ask_again(struct controller *controller);
void controller_save(struct controller *controller); // now; what fails is logged and tried again

// rollout_json.c
void controller_emit(const struct controller *controller, struct emit *emit);
void controller_emit_decision(const struct controller *controller, const struct machine *before,
                              const struct rollout_outcome *outcome, bool by_person, struct emit *emit);
// contest_words.c: the contest in one sentence; the winner as the variant's index, or -1
int controller_judge_contest(struct controller *controller);
// rollout_report.c
void controller_emit_report(const struct controller *controller, struct emit *emit);
void controller_emit_plan(const struct controller *controller, double rps, struct emit *emit);

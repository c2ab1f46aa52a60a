// share: a route's rollout as its fleet has it (decision 22): the record that stands in etcd and what follows
// from it here, what this instance counts for the fleet, and on the leader what all have counted and what is
// proposed. A leader's rollout changes when the watch brings the change back, like everybody's; only a
// rollback acts before. Owner: the controller; the one that a reload puts in its place takes it over.
// Control thread.
#pragma once
#include "controller.h"
#include "fleet.h"
#include "metrics/exposition.h"
#include "rollouts.h"

#include <jansson.h>

struct share;
struct share *share_new(struct controller *controller); // nothing is known of the fleet's record yet
// Nobody is told any more (share_end).
void share_free(struct share *share); // NULL is allowed
// Whoever waits for an answer gets this one.
void share_end(struct share *share, const char *why);

// ---- a configuration comes: before it is live, then when it is

// The controller has what the journal had of it (`same` as in controller_restore), or what the fleet's record
// has, which `before` knows (NULL: it had none).
void share_found(struct share *share, const struct share *before, bool same);
struct slice share_text(const struct share *share); // the fleet's record; empty: not known yet
void share_take(struct share *share, struct share *before);
// What stands there, of a share whose route has no rollout any more. False: nothing is known.
bool share_give(const struct share *share, struct strbuf *record, int64_t *revision);
// This instance's live weights: the fleet's; all to the baseline while the file here has another version of
// the candidate, or other variants, and when the candidate was taken back here alone.
void share_weights(const struct share *share, uint16_t *weights);

// ---- what happens

void share_tick(struct share *share, uint64_t now_ns, int64_t elapsed_ms);
// What the leader asked the world has an answer. Another instance's: it is forgotten.
void share_send(struct share *share, const struct rollout_event *event);
// A person's command here.
void share_command(struct share *share, const struct rollout_event *event, struct rollout_reply reply);
// A score, as rollouts_feedback: false: nobody asks for it.
bool share_score(struct share *share, const char *metric, size_t variant, double score, uint64_t unit_hash);

// ---- what the fleet tells

void share_role(struct share *share, enum fleet_role role);
void share_state(struct share *share, struct slice record, int64_t revision); // empty: there is none any more
void share_ask(struct share *share, struct slice ask, int64_t revision, json_t *asked);
void share_hear(struct share *share, struct slice id, enum fleet_report what, json_t *reported);
// What an instance has counted, by whatever way it came; `shares` is that of log_e.
void share_hear_tally(struct share *share, struct slice id, const struct tally *tally, uint32_t shares,
                      double log_e);
bool share_counts(const struct share *share); // something is tried, and what is counted here belongs to it
// The same as share_report by the other way: FAMILY_FLEET_EVIDENCE, FAMILY_FLEET_EVIDENCE_RATIO.
void share_expose(const struct share *share, const char *fleet, const char *member, struct exposition *out,
                  enum family family);
// Into an object by route's name: what share_hear reads on the leader. Nothing where nothing is tried.
void share_report(const struct share *share, enum fleet_report what, struct emit *emit);

// ---- what others ask

bool share_agrees(const struct share *share); // the file here is the one that the record was made by
bool share_known(const struct share *share);  // the fleet's record is
// The members' files agree on the rollout: NULL; or one sentence on which instance differs. Literal or
// static.
const char *share_differs(const struct share *share);
bool share_member_agrees(const struct share *share, const struct fleet_member *member); // with the record
void share_emit(const struct share *share, struct emit *emit);                          // one value

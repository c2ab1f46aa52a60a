// rollouts_fleet: the rollouts of all routes and the fleet that shares them: what the fleet tells goes to the
// route's share, what the shares have counted goes to the fleet. Control thread.
#pragma once
#include "evidence_answer.h"
#include "fleet.h"
#include "metrics/exposition.h"
#include "rollouts.h"

// As the listener's calls of fleet.h.
void rollouts_fleet_role(struct rollouts *rollouts, enum fleet_role role);
void rollouts_fleet_state(struct rollouts *rollouts, struct slice route, struct slice state,
                          int64_t revision);
void rollouts_fleet_ask(struct rollouts *rollouts, struct slice ask, int64_t revision, struct slice text);
void rollouts_fleet_evidence(struct rollouts *rollouts, struct slice id, enum fleet_report what,
                             struct slice bytes);
// Of a member, by the way of Prometheus.
void rollouts_fleet_tally(struct rollouts *rollouts, const struct evidence *evidence);
// What this instance has counted, for Prometheus. `fleet`, `member`: prefix, fleet_id.
void rollouts_fleet_expose(const struct rollouts *rollouts, const char *fleet, const char *member,
                           struct exposition *out);
// What this instance says of its rollouts: an object by route.
void rollouts_fleet_describe(const struct rollouts *rollouts, struct emit *emit);

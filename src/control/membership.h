// membership: what this daemon is in its fleet, when its configuration has one: joins etcd's others when it
// serves, says what it is, shows who else is there. Owner: the control's. Control thread.
#pragma once
#include "control/emit.h"
#include "control/outcome.h"
#include "metrics/exposition.h"

struct control;
struct fleet;
struct membership;
// NULL: the running configuration has no fleet. What it says holds until the daemon ends.
struct membership *membership_new(const struct control *control);
void membership_free(struct membership *membership); // NULL is allowed, here and below
// Before the end: others need not wait for the lease. True while that is under way.
void membership_hurry(struct membership *membership);
bool membership_busy(const struct membership *membership);

struct fleet *membership_fleet(const struct membership *membership);
// The running configuration is another one: it is told.
void membership_describe(struct membership *membership);
// A warning where the configuration has another fleet than the daemon began with.
void membership_warn(const struct membership *membership, const struct config *config,
                     struct outcome *outcome);

// Evidence goes through Prometheus: it is not reported to etcd.
bool membership_exposes(const struct membership *membership);
// This instance leads and has long heard no evidence: one sentence. NULL otherwise.
const char *membership_blind(const struct membership *membership);

void membership_emit(const struct membership *membership,
                     struct emit *emit); // one value; null without a fleet
void membership_metrics(const struct membership *membership, struct exposition *out);

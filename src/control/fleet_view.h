// fleet_view: a fleet as status and metrics show it. Pure: reads what the fleet knows. Control thread.
#pragma once
#include "control/emit.h"
#include "fleet.h"
#include "metrics/exposition.h"

// `role`, `leader`, `members` …: what stands in `fleet` of the status behind what its configuration says.
// Appended to an object that is open.
void fleet_view_emit(const struct fleet *fleet, struct emit *emit);
void fleet_view_metrics(const struct fleet *fleet, struct exposition *out);

// One of `members`. `own`: what this instance says of itself (json_t), that the other's rollouts are held
// against; NULL: it is not known.
void fleet_view_member(const struct fleet_member *member, const void *own, uint64_t now_ms,
                       struct emit *emit);

// status_fleet: `sluice status --fleet`: the instances of the daemon's fleet.
#pragma once
#include "app/options.h"
#include "base/strbuf.h"
#include <jansson.h>

int status_fleet_once(const struct invocation *invocation); // prints them; the exit code
// The fleet in an answer of /api/v1/status, the caller's. NULL: there is none, and stderr says so.
json_t *status_fleet_find(const struct strbuf *answer);

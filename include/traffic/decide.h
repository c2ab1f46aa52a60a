// decide: request + live weights -> route, unit, bucket, variant. Pure; any thread. What `sluice assign`
// explains.
#pragma once
#include "traffic/match.h"
#include "traffic/split.h"
#include "traffic/sticky.h"
#include "traffic/turn.h"

// A route with its live weights. Immutable; part of a plan.
struct live_route {
    const struct route_config *config;
    uint64_t seed; // split_seed(salt)
    struct split split;
    struct turn *turn; // NULL: none is planned; a reference of the plan's
    struct split next; // with a turn: what holds once it is done
};
// The weights that hold now. Whoever decides looks once.
static inline const struct split *live_split(const struct live_route *route) {
    return turn_done(route->turn) ? &route->next : &route->split;
}
// The weights that hold, or will once a turn is done that is under way.
static inline const struct split *coming_split(const struct live_route *route) {
    return route->turn ? &route->next : &route->split;
}
void live_route_init(struct live_route *route, const struct route_config *config); // with the file's weights

enum decision_reason {
    DECIDED_BY_UNIT,     // the unit's bucket
    DECIDED_BY_PIN,      // mode: session, the cookie's variant
    DECIDED_BY_OVERRIDE, // a tester's header
    DECIDED_AT_RANDOM,
};
const char *decision_reason_name(enum decision_reason reason);

struct decision {
    size_t variant; // index in the route
    uint16_t bucket;
    enum decision_reason reason;
    struct unit unit;
    bool set_cookie;           // the response must carry Set-Cookie with cookie_value
    struct slice cookie_value; // in the view's arena
    bool override_denied; // an override header was there, with a wrong token or an unknown variant: ignored
};

// `random`: 128 random bits, used to issue a unit or to split at random.
void decide(const struct live_route *route, const struct request_view *view, const uint64_t random[2],
            struct decision *decision);
// The variant a bare unit gets (no cookie, no override): for `sluice assign`.
void decide_unit(const struct live_route *route, struct slice unit, struct decision *decision);

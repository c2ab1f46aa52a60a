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
    uint64_t seed;        // split_seed(salt)
    uint64_t mirror_seed; // split_seed(salt + "/mirror")
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
    DECIDED_BY_TASK,    // the task that the request is about runs there
    DECIDED_BY_BAGGAGE, // a trusted peer's: the arm that the unit has in the experiment already
};
const char *decision_reason_name(enum decision_reason reason);

struct decision {
    size_t variant; // index in the route
    uint16_t bucket;
    enum decision_reason reason;
    struct unit unit;
    bool set_cookie;           // the response must carry Set-Cookie with cookie_value
    struct slice cookie_value; // in the view's arena
    bool by_tester;            // by an override: this one's, or one that baggage tells of
    bool override_denied; // an override header was there, with a wrong token or an unknown variant: ignored
};

// `random`: 128 random bits, used to issue a unit or to split at random.
void decide(const struct live_route *route, const struct request_view *view, const uint64_t random[2],
            struct decision *decision);
// Whether requests of that decision are copied to route->config->mirror, which is there: the share's units,
// whatever their variant; not what goes to the mirror's variant anyway. `random`: for those without a unit.
bool decide_mirror(const struct live_route *route, const struct decision *decision, uint64_t random);
// The variant a bare unit gets (no cookie, no override): for `sluice assign`.
void decide_unit(const struct live_route *route, struct slice unit, struct decision *decision);

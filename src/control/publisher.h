// publisher: the plan that is live, and the one way in which it changes between reloads (weights set by hand,
// endpoints that became or stopped being ready). Control thread.
#pragma once
#include "adoption.h"
#include "proxy/data_plane.h"
#include <event2/event.h>

struct publisher;
struct publisher *publisher_new(struct event_base *base, struct data_plane *plane);
void publisher_free(struct publisher *publisher);
const struct plan *publisher_plan(const struct publisher *publisher); // NULL before the first
// After a reload was committed: this is the plan now. Weights set by hand are forgotten; the log names them.
void publisher_adopt(struct publisher *publisher, struct plan *take_plan);

// Sets the weights of a route and of those it is linked with (basis points, sum 10,000). Returns the number
// of the plan that has them. `by_command`: by hand, where no rollout rules the route.
uint64_t publisher_set_weights(struct publisher *publisher, size_t route, const uint16_t *weights,
                               bool by_command);
// The same, but all workers begin at the same moment: no request is decided by the old weights after one was
// by the new. Takes the time until the slowest worker has looked up. Another change of the route's weights
// meanwhile wins.
uint64_t publisher_turn(struct publisher *publisher, struct adoption *adoption, size_t route,
                        const uint16_t *weights);
// The plan's weights of the route were set by hand before this process began.
void publisher_set_by_command(struct publisher *publisher, size_t route);
// The plan with a reference, to make another of; and that other one, which has the same configuration.
struct plan *publisher_plan_ref(const struct publisher *publisher);
void publisher_replace(struct publisher *publisher, struct plan *take_plan);
bool publisher_by_command(const struct publisher *publisher, size_t route); // they were set by hand
// The daemon's note that every worker uses the plan, the last since at_ns (monotonic); and how long that took
// the last time, in seconds.
void publisher_adopted(struct publisher *publisher, uint64_t number, uint64_t at_ns);
double publisher_adoption(const struct publisher *publisher);
// An endpoint of the pool changed its state. Published with everything else that changes in this turn of the
// event loop, or by publisher_flush at once, which returns the number of the live plan.
void publisher_touch(struct publisher *publisher, size_t pool);
uint64_t publisher_flush(struct publisher *publisher);

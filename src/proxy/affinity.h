// affinity: requests about a long-running task go to the variant and endpoint that began it
// (docs/affinity.md), by the route's table of tasks (traffic/tasks.h). Worker's thread.
#pragma once
#include "exchange.h"

// Behind the decision, on a route with tasks: a task that the request names decides instead.
void affinity_decide(struct exchange *exchange, const struct request_view *view);
// The endpoint that runs the task, when it is in the pool and may be asked; counted in. False: the balance
// decides.
bool affinity_choose(struct exchange *exchange, const struct pool_view *view);
// An answer's final head, and then the bytes of its body before they go to the client: learns ids in them.
void affinity_begin(struct exchange *exchange, const struct head *head);
void affinity_read(struct exchange *exchange, struct slice bytes);
void affinity_end(struct exchange *exchange); // gives back what learning took

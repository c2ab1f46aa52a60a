// shadow: one copy of a request on its way to the route's mirror (docs/mirror.md), with a connection of its
// own. Its answer is measured and thrown away. It outlives the exchange that it was copied from, is never
// tried again, never waits in a queue, and touches nothing that the original depends on. Owner: the worker,
// in worker->shadows.
#pragma once
#include "exchange.h"

#define SHADOW_CONNECTION 1 // connection->user_kind: the user is a shadow

// The request of `exchange` is to be copied: marks it, so that it is kept. Before the first attempt.
void shadow_want(struct exchange *exchange, const char *head_at);
// The request is complete and on its way: the copy begins, or is dropped and counted.
void shadow_begin(struct exchange *exchange);
void shadow_event(struct connection *connection, short what);
void shadow_cut_all(struct worker *worker); // the worker drains or stops: copies are of no account

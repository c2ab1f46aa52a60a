// match: which route a request belongs to. Compiled once per configuration, immutable, any thread. First
// match wins.
#pragma once
#include "config/config.h"
#include "traffic/view.h"

struct matcher;
struct matcher *matcher_new(const struct config *config); // borrows the configuration, which must outlive it
void matcher_free(struct matcher *matcher);

#define NO_ROUTE ((size_t)-1)
// Index of the route, or NO_ROUTE. *needs_body is set when a route that could still match has a JSON
// condition (then NO_ROUTE: none is known yet), or the matched route takes its unit or a task's id from the
// body, and view->body was not given: collect the body and ask again (or, when it is too large or there is
// none, ask with an empty non-NULL body).
size_t matcher_route(const struct matcher *matcher, const struct request_view *view, bool *needs_body);

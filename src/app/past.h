// past: what a route's variants did lately, for the sparklines.
#pragma once
#include "app/options.h"
#include <jansson.h>

// The last `points` of …/routes/ROUTE/history, and perhaps one more; NULL when no answer comes. The caller's
// to free.
json_t *past_ask(const struct invocation *invocation, const char *route, unsigned points);

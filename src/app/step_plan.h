// step_plan: how long each step of a rollout must last, for people, from the API's JSON (docs/api.md).
// Appended to a text.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

void step_plan_write(struct strbuf *out, const json_t *plan);

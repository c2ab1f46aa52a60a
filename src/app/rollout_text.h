// rollout_text: where a rollout stands, for people, from the API's JSON (docs/api.md). Appended to a text,
// with colours where stdout has them.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>

// Without a line end and without times: "step 2 of 5 at 5 %, held (person)".
void rollout_text_state(struct strbuf *out, const json_t *rollout);
// The lines of `sluice status` below a route's variants; nothing when `rollout` is null or missing.
void rollout_text_status(struct strbuf *out, const json_t *rollout);
// The first of them: "  canary v1.1: step 2 of 5 at 5 %  12 s of 20 s".
void rollout_text_head(struct strbuf *out, const json_t *rollout);

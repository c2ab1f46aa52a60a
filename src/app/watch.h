// watch: what is new about a rollout since it was last looked at, one line each. Pure.
#pragma once
#include "base/strbuf.h"
#include <jansson.h>
#include <stdbool.h>

struct watch {
    bool as_json;        // the API's JSON, one value a line
    bool begun;          // it was looked at before
    long long number;    // of the last decision seen
    struct strbuf state; // what was last said of it
    unsigned missed;     // answers that did not come, in a row
};
void watch_free(struct watch *watch);
// Decisions that are new since the last look, from the answer of …/decisions. None at the first look.
void watch_decisions(struct watch *watch, const json_t *answer, struct strbuf *out);
// Where the rollout stands, when that is new. Ends a look.
void watch_rollout(struct watch *watch, const json_t *rollout, uint64_t wall_ms, struct strbuf *out);
// The exit code of `--exit-status` when the rollout has ended; -1 when it goes on.
int watch_end(const json_t *rollout);

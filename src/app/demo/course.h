// course: how the demo's rollout goes: where it stands and what was decided, from the admin API's answers.
// Owner: demo_main; one thread.
#pragma once
#include "base/strbuf.h"
#include "news.h"
#include <jansson.h>

struct course {
    json_t *rollout;  // as the last status told it; NULL: none was told
    json_t *decision; // the last one; NULL: none yet
};

void course_free(struct course *course);
// The member `rollout` of the route in GET /api/v1/status.
void course_status(struct course *course, const json_t *rollout);
// An answer of GET /api/v1/routes/chat/decisions, NULL: none came. What is new in it becomes news.
void course_decisions(struct course *course, const json_t *answer, struct news *news);
// The exit code that stands for the rollout's end, as of `sluice watch --exit-status`; -1: it goes on.
int course_end(const struct course *course);
// The state in a line, then the guards, a line each, with the evidence that they have and the one that they
// need.
void course_write(const struct course *course, struct strbuf *out);

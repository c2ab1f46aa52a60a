// admin_api: the calls under the admin address (docs/api.md): which there are, who may make them, what they
// answer. Control thread.
#pragma once
#include "admin_server.h"
#include "control.h"
#include "control/emit.h"
#include "rollouts.h"

void admin_api_handle(struct call *call, void *context); // the control; answers, now or later

// One call while it is served: the decoded segments of the path that the pattern left open.
#define API_CAPTURES 1
struct api_call {
    struct control *control;
    struct call *call;
    const char *captured[API_CAPTURES];
};
void api_answer(struct call *call); // 200 with the JSON in call->out
void api_refuse(struct call *call, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// The route that the path names; NULL after a 404.
const struct route_config *api_route(const struct api_call *api, size_t *index);

// The number that the query gives `name`; *number stays as it is where it gives none. False after a 422.
bool api_number(const struct api_call *api, const char *name, unsigned long least, unsigned long most,
                unsigned long *number);

// The text is ready; it is sent when every worker uses the plan.
void api_answer_when_adopted(const struct api_call *api, uint64_t plan);
bool api_refused_while_draining(const struct api_call *api); // and answered

// admin_commands.c: the calls that change something.
void api_emit_weights(const struct route_config *route, const uint16_t *weights, struct emit *emit);
void api_set_weights(const struct api_call *api);
void api_drain(const struct api_call *api);
void api_undrain(const struct api_call *api);
void api_reload(const struct api_call *api);

// admin_rollout.c: what a person tells a route's rollout, and what it shows.
void api_promote(const struct api_call *api);
void api_pause(const struct api_call *api);
void api_resume(const struct api_call *api);
void api_rollback(const struct api_call *api);
void api_retry(const struct api_call *api);
void api_decisions(const struct api_call *api);
void api_report(const struct api_call *api);
void api_plan(const struct api_call *api);
// Hands a command to a rollout; the call is answered when that was carried out, or refused. With
// EVENT_WEIGHTS the answer has the weights.
void api_tell_rollout(const struct api_call *api, size_t route, const struct rollout_command *command);

void api_feedback(const struct api_call *api); // feedback.c

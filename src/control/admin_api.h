// admin_api: the calls under the admin address (docs/api.md): which there are, who may make them, what they
// answer. Control thread.
#pragma once
#include "admin_server.h"
#include "control.h"

void admin_api_handle(struct call *call, void *control); // answers, now or later

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

// admin_commands.c: the calls that change something.
void api_set_weights(const struct api_call *api);
void api_drain(const struct api_call *api);
void api_undrain(const struct api_call *api);
void api_reload(const struct api_call *api);

// What a person tells a route's rollout, and what it shows: docs/api.md, "Rollouts".
#include "admin_api.h"
#include "control/emit.h"
#include "parameters.h"
#include "rollouts.h"

#include <math.h>
#include <stdlib.h>

#define REASON_MOST     300 // bytes: it becomes part of one sentence
#define DECISIONS_MOST  1000
#define DECISIONS_USUAL 20

// The route that the path names, when it has a rollout; NULL after a refusal.
static const struct route_config *rollout_route(const struct api_call *api, size_t *index) {
    const struct route_config *route = api_route(api, index);
    if (!route || rollouts_has(api->control->rollouts, *index))
        return route;
    size_t leader = rollouts_leader(api->control->rollouts, *index);
    if (leader == NO_ROUTE)
        api_refuse(api->call, 409, "no_rollout", "route %s has no rollout", route->name);
    else
        api_refuse(api->call, 409, "no_rollout",
                   "route %s has no rollout: that of route %s moves its weights", route->name,
                   api->control->config->routes[leader].name);
    return NULL;
}

// The newest decision as the value that comes next; null when there is none.
static void emit_last_decision(const struct rollouts *rollouts, size_t route, struct emit *emit) {
    struct strbuf array = {0};
    struct emit all = {.out = &array};
    rollouts_emit_decisions(rollouts, route, 1, &all);
    if (array.len > 2)
        emit_raw(emit, slice_make(array.at + 1, array.len - 2));
    else
        emit_null(emit);
    strbuf_free(&array);
}

struct telling { // a command that is being carried out, maybe by another instance
    struct control *control;
    struct call *call;
    char *route;
    enum rollout_event_kind kind;
    uint16_t weights[SPLIT_ARMS];
};

static void answer_told(const struct telling *telling, const struct api_call *api) {
    struct rollouts *rollouts = api->control->rollouts;
    struct emit emit = {.out = &api->call->out};
    size_t index;
    const struct route_config *route = api_route(api, &index);
    if (!route)
        return; // a reload has taken it away meanwhile
    uint64_t plan = publisher_plan(api->control->publisher)->number;
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), route->name);
    emit_u64(emit_name(&emit, "plan"), plan);
    if (telling->kind == EVENT_WEIGHTS)
        api_emit_weights(route, telling->weights, &emit);
    rollouts_emit(rollouts, index, emit_name(&emit, "rollout"));
    emit_last_decision(rollouts, index, emit_name(&emit, "decision"));
    emit_end(&emit, '}');
    api_answer_when_adopted(api, plan);
}

static void on_told(const struct error *refused, void *context) {
    struct telling *telling = context;
    struct api_call api = {.control = telling->control, .call = telling->call, .captured = {telling->route}};
    if (refused)
        api_refuse(telling->call, 409, "refused", "%s", refused->text);
    else
        answer_told(telling, &api);
    mem_free(telling->route);
    mem_free(telling);
}

void api_tell_rollout(const struct api_call *api, size_t route, const struct rollout_command *command) {
    if (command->reason && strlen(command->reason) > REASON_MOST) {
        api_refuse(api->call, 422, "invalid_body", "reason may have %d bytes", REASON_MOST);
        return;
    }
    struct telling *telling = mem_zero(1, sizeof *telling);
    telling->control = api->control;
    telling->call = api->call;
    telling->route = mem_copy_string(api->captured[0]);
    telling->kind = command->kind;
    if (command->weights)
        memcpy(telling->weights, command->weights, sizeof telling->weights);
    rollouts_command(api->control->rollouts, route, command, (struct rollout_reply){on_told, telling});
}

static void command(const struct api_call *api, enum rollout_event_kind kind) {
    struct parameter parameters[] = {{.name = "reason", .kind = PARAMETER_TEXT},
                                     {.name = "full", .kind = PARAMETER_BOOL}};
    struct error error;
    json_t *root;
    size_t index;
    if (!rollout_route(api, &index) || api_refused_while_draining(api))
        return;
    if (!parameters_read(api->call->body, parameters, kind == EVENT_PROMOTE ? 2 : 1, &root, &error)) {
        api_refuse(api->call, 422, "invalid_body", "%s", error.text);
    } else {
        struct rollout_command told = {.kind = parameters[1].flag ? EVENT_PROMOTE_FULL : kind,
                                       .reason = parameters[0].text};
        api_tell_rollout(api, index, &told);
    }
    json_decref(root);
}

void api_promote(const struct api_call *api) {
    command(api, EVENT_PROMOTE);
}

void api_pause(const struct api_call *api) {
    command(api, EVENT_PAUSE);
}

void api_resume(const struct api_call *api) {
    command(api, EVENT_RESUME);
}

void api_rollback(const struct api_call *api) {
    command(api, EVENT_ROLLBACK);
}

void api_retry(const struct api_call *api) {
    command(api, EVENT_RETRY);
}

void api_decisions(const struct api_call *api) {
    unsigned long last = DECISIONS_USUAL;
    size_t index;
    if (!rollout_route(api, &index) || !api_number(api, "last", 1, DECISIONS_MOST, &last))
        return;
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), api->captured[0]);
    rollouts_emit_decisions(api->control->rollouts, index, (unsigned)last, emit_name(&emit, "decisions"));
    emit_end(&emit, '}');
    api_answer(api->call);
}

void api_report(const struct api_call *api) {
    struct emit emit = {.out = &api->call->out};
    size_t index;
    if (!rollout_route(api, &index))
        return;
    rollouts_emit_report(api->control->rollouts, index, &emit);
    api_answer(api->call);
}

void api_plan(const struct api_call *api) {
    const char *text = call_query(api->call, "rps");
    struct emit emit = {.out = &api->call->out};
    size_t index;
    char *end = "";
    if (!rollout_route(api, &index))
        return;
    double rps = text && *text >= '0' && *text <= '9' ? strtod(text, &end) : NAN;
    if (!(rps > 0 && rps <= 1e9) || *end) {
        api_refuse(api->call, 422, "invalid_parameter",
                   "give the route's requests a second: ?rps=N, a positive number");
        return;
    }
    rollouts_emit_plan(api->control->rollouts, index, rps, &emit);
    api_answer(api->call);
}

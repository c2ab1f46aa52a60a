#include "admin_api.h"
#include "base/log.h"
#include "control/emit.h"
#include "reload.h"
#include "weights.h"

#include <jansson.h>

// The text is ready; it is sent when every worker does what it says.
static void on_adopted(void *context) {
    api_answer(context);
}

void api_answer_when_adopted(const struct api_call *api, uint64_t plan) {
    adoption_wait(&api->control->adoption, plan, on_adopted, api->call);
}

bool api_refused_while_draining(const struct api_call *api) {
    if (api->control->draining)
        api_refuse(api->call, 409, "draining", "the daemon is stopping");
    return api->control->draining;
}

static void log_weights(const struct route_config *route, const uint16_t *weights) {
    struct strbuf text = {0};
    struct emit emit = {.out = &text};
    for (size_t i = 0; i < route->variant_count; i++) {
        strbuf_format(&text, "%s%s:", i ? " " : "", route->variants[i].name);
        emit.follows = false;
        emit_percent(&emit, weights[i]);
    }
    log_info("weights set by hand", "route=%s weights=\"%s\"", route->name, strbuf_text(&text));
    strbuf_free(&text);
}

void api_emit_weights(const struct route_config *route, const uint16_t *weights, struct emit *emit) {
    emit_object(emit_name(emit, "weights"));
    for (size_t i = 0; i < route->variant_count; i++)
        emit_percent(emit_name(emit, route->variants[i].name), weights[i]);
    emit_end(emit, '}');
}

static void set_weights(const struct api_call *api, const struct route_config *route, size_t index,
                        const uint16_t *weights) {
    uint64_t plan = publisher_set_weights(api->control->publisher, index, weights, true);
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), route->name);
    emit_u64(emit_name(&emit, "plan"), plan);
    api_emit_weights(route, weights, &emit);
    emit_end(&emit, '}');
    api_answer_when_adopted(api, plan);
}

void api_set_weights(const struct api_call *api) {
    uint16_t weights[SPLIT_ARMS];
    struct error error;
    size_t index;
    const struct route_config *route = api_route(api, &index);
    if (!route || api_refused_while_draining(api))
        return;
    if (!weights_read(api->call->body, route, weights, &error)) {
        api_refuse(api->call, 422, "invalid_weights", "%s", error.text);
        return;
    }
    size_t leader = rollouts_leader(api->control->rollouts, index);
    if (leader != NO_ROUTE && leader != index) {
        const char *name = api->control->config->routes[leader].name;
        api_refuse(api->call, 409, "linked",
                   "the rollout of route %s moves the weights of experiment %s: set those of route %s", name,
                   route->experiment, name);
        return;
    }
    log_weights(route, weights);
    // Those of a route with a rollout are its controller's: it is told, journals it and changes nothing until
    // it is resumed.
    struct rollout_command told = {.kind = EVENT_WEIGHTS, .weights = weights};
    if (leader == index)
        api_tell_rollout(api, index, &told);
    else
        set_weights(api, route, index, weights);
}

// The endpoint that the body names; NULL after a refusal.
static struct endpoint *named_endpoint(const struct api_call *api, const struct pool *pool) {
    json_error_t why;
    json_t *root = json_loadb(api->call->body.at, api->call->body.len, JSON_REJECT_DUPLICATES, &why);
    const char *url = json_string_value(json_object_get(root, "endpoint"));
    char *name = mem_copy_string(url);
    json_decref(root);
    if (!name) {
        api_refuse(api->call, 422, "invalid_endpoint", "give {\"endpoint\": \"URL\"}");
        return NULL;
    }
    size_t len = strlen(name);
    if (len && name[len - 1] == '/') // names in the configuration have none
        name[len - 1] = '\0';
    struct endpoint *endpoint = pool_endpoint(pool, name);
    if (!endpoint)
        api_refuse(api->call, 404, "unknown_endpoint", "pool %s has no endpoint %s", pool->name, name);
    mem_free(name);
    return endpoint;
}

static void set_drained(const struct api_call *api, bool drained) {
    size_t index;
    struct control *control = api->control;
    if (!config_pool(control->config, api->captured[0], &index)) {
        api_refuse(api->call, 404, "unknown_pool", "there is no pool %s", api->captured[0]);
        return;
    }
    struct endpoint *endpoint = named_endpoint(api, directory_pool(control->directory, index));
    if (!endpoint || api_refused_while_draining(api))
        return;
    // A person also takes back what a rolling update has left half done.
    unsigned bits = drained ? ENDPOINT_DRAINED : ENDPOINT_DRAINED | ENDPOINT_UPDATING;
    bool before = atomic_load(&endpoint->states) & bits;
    if (before != drained) {
        if (drained)
            atomic_fetch_or(&endpoint->states, bits);
        else
            atomic_fetch_and(&endpoint->states, ~bits);
        publisher_touch(control->publisher, index);
        log_info(drained ? "endpoint drained by hand" : "endpoint undrained by hand", "pool=%s endpoint=%s",
                 endpoint->pool, endpoint->url);
    }
    uint64_t plan = publisher_flush(control->publisher);
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "pool"), endpoint->pool);
    emit_text(emit_name(&emit, "endpoint"), endpoint->url);
    emit_bool(emit_name(&emit, "drained"), drained);
    emit_bool(emit_name(&emit, "changed"), before != drained);
    emit_u64(emit_name(&emit, "inflight"), atomic_load(&endpoint->inflight));
    emit_u64(emit_name(&emit, "plan"), plan);
    emit_end(&emit, '}');
    api_answer_when_adopted(api, plan);
}

void api_drain(const struct api_call *api) {
    set_drained(api, true);
}

void api_undrain(const struct api_call *api) {
    set_drained(api, false);
}

static void write_refused_reload(const struct outcome *outcome, struct emit *emit) {
    emit_object(emit);
    emit_object(emit_name(emit, "error"));
    emit_text(emit_name(emit, "code"), "invalid_configuration");
    char message[128];
    snprintf(message, sizeof message, "%zu mistake%s; the running configuration stays",
             outcome->mistake_count, outcome->mistake_count == 1 ? "" : "s");
    emit_text(emit_name(emit, "message"), message);
    outcome_emit_mistakes(outcome, emit_name(emit, "diagnostics"));
    emit_end(emit, '}');
    emit_end(emit, '}');
}

static void write_reload(const struct outcome *outcome, struct emit *emit) {
    emit_object(emit);
    emit_text(emit_name(emit, "result"), "success");
    emit_text(emit_name(emit, "file"), outcome->path);
    emit_u64(emit_name(emit, "plan"), outcome->plan);
    emit_number(emit_name(emit, "elapsed_ms"), outcome->elapsed_ms, 1);
    emit_u64(emit_name(emit, "routes"), outcome->routes);
    emit_u64(emit_name(emit, "pools"), outcome->pools);
    emit_u64(emit_name(emit, "endpoints"), outcome->endpoints);
    outcome_emit_warnings(outcome, emit_name(emit, "warnings"));
    emit_end(emit, '}');
}

static void on_reloaded(const struct outcome *outcome, void *context) {
    struct call *call = context;
    struct emit emit = {.out = &call->out};
    if (outcome->success)
        write_reload(outcome, &emit);
    else
        write_refused_reload(outcome, &emit);
    strbuf_char(&call->out, '\n');
    call_answer(call, outcome->success ? 200 : 422, "application/json");
}

void api_reload(const struct api_call *api) {
    if (!api_refused_while_draining(api))
        reloader_request(api->control->reloader, on_reloaded, api->call);
}

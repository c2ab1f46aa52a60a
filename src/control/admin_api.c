#include "admin_api.h"

#include "admin.h"
#include "base/clock.h"
#include "base/mem.h"
#include "control/emit.h"
#include "dashboard.h"
#include "denials.h"
#include "events.h"
#include "metrics_page.h"
#include "status_json.h"

#include <stdio.h>
#include <stdlib.h>

void api_answer(struct call *call) {
    if (call->out.len == 0 || call->out.at[call->out.len - 1] != '\n')
        strbuf_char(&call->out, '\n');
    call_answer(call, 200, "application/json");
}

void api_refuse(struct call *call, int status, const char *code, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    strbuf_clear(&call->out);
    struct emit emit = {.out = &call->out};
    emit_object(&emit);
    emit_object(emit_name(&emit, "error"));
    emit_text(emit_name(&emit, "code"), code);
    emit_text(emit_name(&emit, "message"), message);
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    strbuf_char(&call->out, '\n');
    call_answer(call, status, "application/json");
}

const struct route_config *api_route(const struct api_call *api, size_t *index) {
    const struct route_config *route = config_route(api->control->config, api->captured[0], index);
    if (!route)
        api_refuse(api->call, 404, "unknown_route", "there is no route %s", api->captured[0]);
    return route;
}

bool api_number(const struct api_call *api, const char *name, unsigned long least, unsigned long most,
                unsigned long *number) {
    const char *text = call_query(api->call, name);
    if (!text)
        return true;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && value >= least && value <= most) {
        *number = value;
        return true;
    }
    api_refuse(api->call, 422, "invalid_parameter", "%s must be a number from %lu to %lu", name, least, most);
    return false;
}

static void get_metrics(const struct api_call *api) {
    const char *accept = api->call->accept;
    struct exposition page = {.text = api->call->out, .openmetrics = exposition_wants_openmetrics(accept)};
    metrics_page_write(api->control, &page);
    api->call->out = page.text;
    call_answer(api->call, 200, exposition_content_type(&page));
}

static void get_alive(const struct api_call *api) {
    strbuf_literal(&api->call->out, "ok\n");
    call_answer(api->call, 200, "text/plain; charset=utf-8");
}

static void get_ready(const struct api_call *api) {
    static const char *const texts[] = {
        [READY] = "ready\n",
        [READY_NOT_STARTED] = "starting\n",
        [READY_NOT_DRAINING] = "draining\n",
        [READY_NOT_ENDPOINTS] = "no endpoint is ready\n",
    };
    enum readiness readiness = control_readiness(api->control);
    strbuf_string(&api->call->out, texts[readiness]);
    call_answer(api->call, readiness == READY ? 200 : 503, "text/plain; charset=utf-8");
}

static void get_status(const struct api_call *api) {
    status_write(api->control, &api->call->out);
    api_answer(api->call);
}

static void get_routes(const struct api_call *api) {
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_array(emit_name(&emit, "routes"));
    for (size_t i = 0; i < api->control->config->route_count; i++)
        emit_text(&emit, api->control->config->routes[i].name);
    emit_end(&emit, ']');
    emit_end(&emit, '}');
    api_answer(api->call);
}

static void get_route(const struct api_call *api) {
    size_t index;
    if (!api_route(api, &index))
        return;
    status_write_route(api->control, index, &api->call->out);
    api_answer(api->call);
}

static void get_history(const struct api_call *api) {
    unsigned long since = 0;
    size_t index;
    if (!api_route(api, &index) || !api_number(api, "since", 0, UINT32_MAX, &since))
        return;
    status_write_history(api->control, index, (uint32_t)since, &api->call->out);
    api_answer(api->call);
}

static void emit_split(struct emit *emit, const struct live_route *live) {
    emit_array(emit_name(emit, "ranges"));
    for (unsigned i = 0; i < live_split(live)->range_count; i++) {
        const struct split_range *range = &live_split(live)->ranges[i];
        emit_object(emit);
        emit_u64(emit_name(emit, "first"), range->first);
        emit_u64(emit_name(emit, "end"), range->end);
        emit_text(emit_name(emit, "variant"), live->config->variants[range->variant].name);
        emit_end(emit, '}');
    }
    emit_end(emit, ']');
}

static void get_assign(const struct api_call *api) {
    size_t index;
    const struct route_config *route = api_route(api, &index);
    if (!route)
        return;
    const char *unit = call_query(api->call, "unit");
    if (!unit || !*unit) {
        api_refuse(api->call, 422, "missing_unit", "give the unit: ?unit=U");
        return;
    }
    const struct live_route *live = &publisher_plan(api->control->publisher)->routes[index].live;
    struct decision decision;
    decide_unit(live, slice_of(unit), &decision);
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), route->name);
    emit_text(emit_name(&emit, "unit"), unit);
    emit_u64(emit_name(&emit, "bucket"), decision.bucket);
    emit_text(emit_name(&emit, "variant"), route->variants[decision.variant].name);
    emit_text(emit_name(&emit, "reason"), decision_reason_name(decision.reason));
    emit_text(emit_name(&emit, "salt"), route->sticky.salt);
    emit_split(&emit, live);
    emit_end(&emit, '}');
    api_answer(api->call);
}

static void get_events(const struct api_call *api) {
    if (api->call->method == CALL_HEAD)
        call_answer(api->call, 200, "text/event-stream; charset=utf-8");
    else if (!api_refused_while_draining(api) && !events_join(api->control->events, api->call))
        api_refuse(api->call, 503, "too_many", "%d clients follow already", EVENTS_CLIENTS);
}

// The page, or a file of it; as it was kept when it is still the same.
static void give_file(const struct api_call *api, const char *name) {
    const struct dashboard_file *file = dashboard_find(name);
    struct call *call = api->call;
    if (!file) {
        api_refuse(call, 404, "not_found", "there is nothing at %s", call->path);
        return;
    }
    call->tag = file->tag;
    if (call->if_none_match && strcmp(call->if_none_match, file->tag) == 0) {
        call_answer(call, 304, file->type);
        return;
    }
    if (dashboard_accepts_gzip(call->accept_encoding)) {
        call->content_encoding = "gzip";
        strbuf_slice(&call->out, dashboard_packed(api->control->dashboard, file));
    } else {
        strbuf_append(&call->out, (const char *)file->bytes, file->len);
    }
    call_answer(call, 200, file->type);
}

static void get_page(const struct api_call *api) {
    give_file(api, "index.html");
}

static void get_file(const struct api_call *api) {
    give_file(api, api->captured[0]);
}

enum { CHANGES = 1 }; // the call changes something: access is judged
struct endpoint_call {
    enum call_method method; // CALL_GET serves HEAD too
    const char *pattern;     // "*" is one segment, captured
    unsigned flags;
    void (*serve)(const struct api_call *api);
};
static const struct endpoint_call calls[] = {
    {CALL_GET, "/", 0, get_page},
    {CALL_GET, "/dashboard/*", 0, get_file},
    {CALL_GET, "/metrics", 0, get_metrics},
    {CALL_GET, "/healthz", 0, get_alive},
    {CALL_GET, "/readyz", 0, get_ready},
    {CALL_GET, "/api/v1/status", 0, get_status},
    {CALL_GET, "/api/v1/routes", 0, get_routes},
    {CALL_GET, "/api/v1/routes/*", 0, get_route},
    {CALL_GET, "/api/v1/routes/*/history", 0, get_history},
    {CALL_GET, "/api/v1/routes/*/assign", 0, get_assign},
    {CALL_GET, "/api/v1/routes/*/decisions", 0, api_decisions},
    {CALL_GET, "/api/v1/routes/*/report", 0, api_report},
    {CALL_GET, "/api/v1/routes/*/plan", 0, api_plan},
    {CALL_GET, "/api/v1/events", 0, get_events},
    {CALL_POST, "/api/v1/routes/*/weights", CHANGES, api_set_weights},
    {CALL_POST, "/api/v1/pools/*/drain", CHANGES, api_drain},
    {CALL_POST, "/api/v1/pools/*/undrain", CHANGES, api_undrain},
    {CALL_POST, "/api/v1/reload", CHANGES, api_reload},
    {CALL_POST, "/api/v1/routes/*/promote", CHANGES, api_promote},
    {CALL_POST, "/api/v1/routes/*/pause", CHANGES, api_pause},
    {CALL_POST, "/api/v1/routes/*/resume", CHANGES, api_resume},
    {CALL_POST, "/api/v1/routes/*/rollback", CHANGES, api_rollback},
    {CALL_POST, "/api/v1/routes/*/retry", CHANGES, api_retry},
    {CALL_POST, "/api/v1/feedback", CHANGES, api_feedback},
};
#define CALLS (sizeof calls / sizeof *calls)

// "/a/*/b" against "/a/x/b"; what "*" stands for is left in *captured, still encoded.
static bool fits(const char *pattern, const char *path, struct slice *captured) {
    struct slice wanted = slice_of(pattern), given = slice_of(path);
    while (wanted.at && given.at) {
        struct slice one = slice_cut(&wanted, '/'), other = slice_cut(&given, '/');
        if (slice_equal(one, SLICE("*")) && other.len)
            *captured = other;
        else if (!slice_equal(one, other))
            return false;
    }
    return !wanted.at && !given.at;
}

static bool allowed(const struct api_call *api) {
    enum access_verdict verdict = access_judge(&api->call->access, admin_token(api->control->admin));
    if (verdict == ACCESS_ALLOWED)
        return true;
    const struct access_call *access = &api->call->access;
    api->call->retry_after =
        denials_note(api->control->denials, verdict, &access->from, clock_monotonic_ns());
    if (api->call->retry_after) {
        api_refuse(api->call, 429, "rate_limited", "too many wrong tokens came from this address");
        return false;
    }
    bool by_token = verdict == ACCESS_TOKEN_MISSING || verdict == ACCESS_TOKEN_WRONG;
    int status = by_token ? 401 : verdict == ACCESS_CONTENT_TYPE ? 415 : 403;
    api_refuse(api->call, status, by_token ? "unauthorized" : "forbidden", "%s", access_message(verdict));
    return false;
}

// What was changed now would be lost: the new binary has been told how things stand.
static bool refused_while_handed_over(const struct api_call *api) {
    if (api->control->handed_over)
        api_refuse(api->call, 503, "upgrading", "a new binary is taking over: ask again");
    return api->control->handed_over;
}

static void serve(struct api_call *api, const struct endpoint_call *known, struct slice captured) {
    char *name = captured.at ? call_decode(captured) : NULL;
    api->captured[0] = name;
    if (captured.at && !name)
        api_refuse(api->call, 400, "bad_request", "the path is malformed");
    else if (!(known->flags & CHANGES) || (allowed(api) && !refused_while_handed_over(api)))
        known->serve(api);
    mem_free(name);
}

void admin_api_handle(struct call *call, void *context) {
    struct api_call api = {.control = context, .call = call};
    if (!api.control->config) { // the socket is open a moment before the first plan
        api_refuse(call, 503, "starting", "the daemon is starting");
        return;
    }
    enum call_method method = call->method == CALL_HEAD ? CALL_GET : call->method;
    for (size_t i = 0; i < CALLS; i++) {
        struct slice captured = {NULL, 0};
        if (!fits(calls[i].pattern, call->path, &captured))
            continue;
        if (calls[i].method == method) {
            serve(&api, &calls[i], captured);
            return;
        }
        call->allow = calls[i].method == CALL_GET ? "GET, HEAD" : "POST";
    }
    if (call->allow)
        api_refuse(call, 405, "method_not_allowed", "%s takes %s", call->path, call->allow);
    else
        api_refuse(call, 404, "not_found", "there is nothing at %s", call->path);
}

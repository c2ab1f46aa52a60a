// Scores of answers, posted by whoever judges them: POST /api/v1/feedback (docs/api.md, "Feedback").
#include "admin_api.h"
#include "control/emit.h"
#include "parameters.h"
#include "rollout/score_groups.h"
#include "rollouts.h"
#include "scores.h"
#include "seen.h"
#include "traffic/hash.h"

#include <math.h>

#define METRIC_MOST 64  // bytes
#define ID_MOST     256 // bytes

enum { F_ROUTE, F_VARIANT, F_UNIT, F_SCORE, F_METRIC, F_ID, F_COUNT };

static void refuse(const struct api_call *api, const char *message) {
    api_refuse(api->call, 422, "invalid_feedback", "%s", message);
}

static bool metric_name(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len <= METRIC_MOST && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

// What does not depend on the configuration.
static bool well_formed(const struct api_call *api, const struct parameter *parameters) {
    const char *wrong = NULL;
    if (!parameters[F_ROUTE].given)
        wrong = "route is missing";
    else if (!parameters[F_VARIANT].given && !parameters[F_UNIT].given)
        wrong = "variant or unit is missing";
    else if (parameters[F_UNIT].given && !*parameters[F_UNIT].text)
        wrong = "unit must not be empty";
    else if (!parameters[F_SCORE].given)
        wrong = "score is missing";
    else if (!(parameters[F_SCORE].number >= 0 && parameters[F_SCORE].number <= 1))
        wrong = "score must be from 0 to 1";
    else if (!metric_name(parameters[F_METRIC].text))
        wrong = "metric must be 1 to 64 of a-z, 0-9 and _";
    else if (parameters[F_ID].given && (!*parameters[F_ID].text || strlen(parameters[F_ID].text) > ID_MOST))
        wrong = "id must have 1 to 256 bytes";
    if (wrong)
        refuse(api, wrong);
    return !wrong;
}

static bool find_variant(const struct route_config *route, const char *name, size_t *variant) {
    for (*variant = 0; *variant < route->variant_count; (*variant)++)
        if (strcmp(route->variants[*variant].name, name) == 0)
            return true;
    return false;
}

// One answer may be judged by several metrics under one id.
static bool repeated(struct seen *ids, const struct parameter *parameters) {
    struct strbuf name = {0};
    static const int parts[] = {F_ROUTE, F_METRIC, F_ID};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        strbuf_string(&name, parameters[parts[i]].text);
        strbuf_char(&name, '\0');
    }
    bool before = seen_add(ids, strbuf_as_slice(&name));
    strbuf_free(&name);
    return before;
}

static void take(const struct api_call *api, const struct parameter *parameters) {
    struct control *control = api->control;
    size_t index, variant;
    const struct route_config *route = config_route(control->config, parameters[F_ROUTE].text, &index);
    if (!route) {
        api_refuse(api->call, 404, "unknown_route", "there is no route %s", parameters[F_ROUTE].text);
        return;
    }
    if (!parameters[F_VARIANT].given) {
        struct decision decision;
        decide_unit(&publisher_plan(control->publisher)->routes[index].live,
                    slice_of(parameters[F_UNIT].text), &decision);
        variant = decision.variant;
    } else if (!find_variant(route, parameters[F_VARIANT].text, &variant)) {
        api_refuse(api->call, 404, "unknown_variant", "route %s has no variant %s", route->name,
                   parameters[F_VARIANT].text);
        return;
    }
    bool counted = !(parameters[F_ID].given && repeated(control->feedback_ids, parameters));
    bool judged = false;
    uint64_t unit =
        parameters[F_UNIT].given ? hash_bytes(0, slice_of(parameters[F_UNIT].text)) : SCORE_WITHOUT_UNIT;
    if (counted) {
        scores_add(control->scores, route->name, route->variants[variant].name, parameters[F_METRIC].text,
                   parameters[F_SCORE].number);
        judged = rollouts_feedback(control->rollouts, index, variant, parameters[F_METRIC].text,
                                   parameters[F_SCORE].number, unit);
    }
    struct emit emit = {.out = &api->call->out};
    emit_object(&emit);
    emit_text(emit_name(&emit, "route"), route->name);
    emit_text(emit_name(&emit, "variant"), route->variants[variant].name);
    emit_text(emit_name(&emit, "metric"), parameters[F_METRIC].text);
    emit_bool(emit_name(&emit, "counted"), counted);
    emit_bool(emit_name(&emit, "judged"), judged);
    emit_end(&emit, '}');
    api_answer(api->call);
}

void api_feedback(const struct api_call *api) {
    struct parameter parameters[F_COUNT] = {
        [F_ROUTE] = {.name = "route", .kind = PARAMETER_TEXT},
        [F_VARIANT] = {.name = "variant", .kind = PARAMETER_TEXT},
        [F_UNIT] = {.name = "unit", .kind = PARAMETER_TEXT},
        [F_SCORE] = {.name = "score", .kind = PARAMETER_NUMBER},
        [F_METRIC] = {.name = "metric", .kind = PARAMETER_TEXT},
        [F_ID] = {.name = "id", .kind = PARAMETER_TEXT},
    };
    struct error error;
    json_t *root;
    if (!parameters_read(api->call->body, parameters, F_COUNT, &root, &error)) {
        refuse(api, error.text);
    } else {
        if (!parameters[F_METRIC].given)
            parameters[F_METRIC].text = "quality";
        if (well_formed(api, parameters))
            take(api, parameters);
    }
    json_decref(root);
}

// Scores of answers, posted by whoever judges them: POST /api/v1/feedback (docs/api.md, "Feedback").
#include "admin_api.h"
#include "base/hash.h"
#include "control/emit.h"
#include "parameters.h"
#include "proxy/issued.h"
#include "rollout/score_groups.h"
#include "rollouts.h"
#include "scores.h"
#include "seen.h"

#include <stdarg.h>
#include <stdio.h>

#define METRIC_MOST 64   // bytes
#define ID_MOST     256  // bytes
#define BATCH_MOST  1000 // scores

enum { F_ROUTE, F_VARIANT, F_UNIT, F_SCORE, F_METRIC, F_ID, F_REQUEST_ID, F_COUNT };

struct refusal {
    int status;
    const char *code;
    char text[256];
};

static bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool refuse(struct refusal *refusal, int status, const char *code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    refusal->status = status;
    refusal->code = code;
    vsnprintf(refusal->text, sizeof refusal->text, format, args);
    va_end(args);
    return false;
}

static bool metric_name(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len <= METRIC_MOST && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

// By a request id nothing else is needed to know whom the score is about, and nothing else may say so.
static const char *wrong_about(const struct parameter *parameters) {
    bool named = parameters[F_ROUTE].given || parameters[F_VARIANT].given || parameters[F_UNIT].given;
    if (parameters[F_REQUEST_ID].given)
        return named ? "request_id stands alone: it tells route, variant and unit" : NULL;
    if (!parameters[F_ROUTE].given)
        return "route is missing";
    if (!parameters[F_VARIANT].given && !parameters[F_UNIT].given)
        return "variant or unit is missing";
    return parameters[F_UNIT].given && !*parameters[F_UNIT].text ? "unit must not be empty" : NULL;
}

// What does not depend on the configuration.
static bool well_formed(const struct parameter *parameters, struct refusal *refusal) {
    const char *wrong = wrong_about(parameters);
    if (!wrong && !parameters[F_SCORE].given)
        wrong = "score is missing";
    else if (!wrong && !(parameters[F_SCORE].number >= 0 && parameters[F_SCORE].number <= 1))
        wrong = "score must be from 0 to 1";
    else if (!wrong && !metric_name(parameters[F_METRIC].text))
        wrong = "metric must be 1 to 64 of a-z, 0-9 and _";
    else if (!wrong && parameters[F_ID].given &&
             (!*parameters[F_ID].text || strlen(parameters[F_ID].text) > ID_MOST))
        wrong = "id must have 1 to 256 bytes";
    return !wrong || refuse(refusal, 422, "invalid_feedback", "%s", wrong);
}

// ---- whom it is about

struct subject {
    size_t route, variant;
    uint64_t unit_hash;
    bool by_choice; // a tester's or a task's: counted, and no evidence
};

static bool find_variant(const struct route_config *route, const char *name, size_t *variant) {
    for (*variant = 0; *variant < route->variant_count; (*variant)++)
        if (strcmp(route->variants[*variant].name, name) == 0)
            return true;
    return false;
}

static bool find_by_names(const struct control *control, const struct parameter *parameters,
                          struct subject *subject, struct refusal *refusal) {
    const struct route_config *route =
        config_route(control->config, parameters[F_ROUTE].text, &subject->route);
    if (!route)
        return refuse(refusal, 404, "unknown_route", "there is no route %.200s", parameters[F_ROUTE].text);
    if (parameters[F_UNIT].given)
        subject->unit_hash = hash_bytes(0, slice_of(parameters[F_UNIT].text));
    if (!parameters[F_VARIANT].given) {
        struct decision decision;
        decide_unit(&publisher_plan(control->publisher)->routes[subject->route].live,
                    slice_of(parameters[F_UNIT].text), &decision);
        subject->variant = decision.variant;
        return true;
    }
    return find_variant(route, parameters[F_VARIANT].text, &subject->variant) ||
           refuse(refusal, 404, "unknown_variant", "route %s has no variant %.150s", route->name,
                  parameters[F_VARIANT].text);
}

static bool find_by_request(const struct control *control, const char *request_id, struct subject *subject,
                            struct refusal *refusal) {
    struct issued issued;
    if (!control->id_seal)
        return refuse(refusal, 409, "no_key", "there is no key of request ids (see state_dir)");
    if (!issued_read(control->id_seal, slice_of(request_id), &issued))
        return refuse(refusal, 404, "unknown_request",
                      "request_id %.100s was not issued here, nor by who has the same key", request_id);
    for (size_t i = 0; i < control->config->route_count; i++) {
        const struct route_config *route = &control->config->routes[i];
        for (size_t k = 0; k < route->variant_count; k++) {
            if (issued_arm(route->name, route->variants[k].name) != issued.arm)
                continue;
            subject->route = i;
            subject->variant = k;
            subject->by_choice = issued.by_choice;
            if (issued.has_unit)
                subject->unit_hash = (uint64_t)issued.unit << 48;
            return true;
        }
    }
    return refuse(refusal, 404, "unknown_request", "the variant of request_id %.100s is not configured",
                  request_id);
}

// ---- counting

// One answer may be judged by several metrics under one id. A request is an id by itself.
static bool repeated(struct seen *ids, const char *route, const struct parameter *parameters) {
    struct strbuf name = {0};
    const char *id = parameters[F_ID].given ? parameters[F_ID].text : parameters[F_REQUEST_ID].text;
    const char *parts[] = {route, parameters[F_METRIC].text, id};
    if (!id)
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        strbuf_string(&name, parts[i]);
        strbuf_char(&name, '\0');
    }
    bool before = seen_add(ids, strbuf_as_slice(&name));
    strbuf_free(&name);
    return before;
}

static bool take(struct control *control, const struct parameter *parameters, struct emit *emit,
                 struct refusal *refusal) {
    struct subject subject = {.unit_hash = SCORE_WITHOUT_UNIT};
    if (!(parameters[F_REQUEST_ID].given
              ? find_by_request(control, parameters[F_REQUEST_ID].text, &subject, refusal)
              : find_by_names(control, parameters, &subject, refusal)))
        return false;
    const struct route_config *route = &control->config->routes[subject.route];
    const char *variant = route->variants[subject.variant].name, *metric = parameters[F_METRIC].text;
    double score = parameters[F_SCORE].number;
    bool counted = !repeated(control->feedback_ids, route->name, parameters), judged = false;
    if (counted)
        scores_add(control->scores, route->name, variant, metric, score);
    if (counted && !subject.by_choice)
        judged = rollouts_feedback(control->rollouts, subject.route, subject.variant, metric, score,
                                   subject.unit_hash);
    emit_object(emit);
    emit_text(emit_name(emit, "route"), route->name);
    emit_text(emit_name(emit, "variant"), variant);
    emit_text(emit_name(emit, "metric"), metric);
    emit_bool(emit_name(emit, "counted"), counted);
    emit_bool(emit_name(emit, "judged"), judged);
    emit_end(emit, '}');
    return true;
}

static bool take_item(struct control *control, const json_t *item, struct emit *emit,
                      struct refusal *refusal) {
    struct parameter parameters[F_COUNT] = {
        [F_ROUTE] = {.name = "route", .kind = PARAMETER_TEXT},
        [F_VARIANT] = {.name = "variant", .kind = PARAMETER_TEXT},
        [F_UNIT] = {.name = "unit", .kind = PARAMETER_TEXT},
        [F_SCORE] = {.name = "score", .kind = PARAMETER_NUMBER},
        [F_METRIC] = {.name = "metric", .kind = PARAMETER_TEXT},
        [F_ID] = {.name = "id", .kind = PARAMETER_TEXT},
        [F_REQUEST_ID] = {.name = "request_id", .kind = PARAMETER_TEXT},
    };
    struct error error;
    if (!parameters_take(item, parameters, F_COUNT, &error))
        return refuse(refusal, 422, "invalid_feedback", "%s", error.text);
    if (!parameters[F_METRIC].given)
        parameters[F_METRIC].text = "quality";
    return well_formed(parameters, refusal) && take(control, parameters, emit, refusal);
}

// ---- the call

static void emit_refusal(struct emit *emit, const struct refusal *refusal) {
    emit_object(emit);
    emit_object(emit_name(emit, "error"));
    emit_text(emit_name(emit, "code"), refusal->code);
    emit_text(emit_name(emit, "message"), refusal->text);
    emit_end(emit, '}');
    emit_end(emit, '}');
}

// Each for itself: what is wrong with one says nothing about the others.
static void take_batch(const struct api_call *api, const json_t *items) {
    struct emit emit = {.out = &api->call->out};
    struct refusal refusal;
    size_t i, taken = 0, count = json_array_size(items);
    json_t *item;
    if (count > BATCH_MOST) {
        api_refuse(api->call, 413, "too_many", "a batch has at most %d scores, not %zu", BATCH_MOST, count);
        return;
    }
    emit_object(&emit);
    emit_array(emit_name(&emit, "results"));
    json_array_foreach(items, i, item) {
        bool good = take_item(api->control, item, &emit, &refusal);
        taken += good;
        if (!good)
            emit_refusal(&emit, &refusal);
    }
    emit_end(&emit, ']');
    emit_u64(emit_name(&emit, "taken"), taken);
    emit_u64(emit_name(&emit, "refused"), count - taken);
    emit_end(&emit, '}');
    api_answer(api->call);
}

void api_feedback(const struct api_call *api) {
    struct emit emit = {.out = &api->call->out};
    struct refusal refusal;
    json_error_t why;
    struct slice body = api->call->body;
    json_t *root = json_loadb(body.len ? body.at : "{}", body.len ? body.len : 2,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!root)
        api_refuse(api->call, 422, "invalid_feedback", "the body is not JSON: %s", why.text);
    else if (json_is_array(root))
        take_batch(api, root);
    else if (take_item(api->control, root, &emit, &refusal))
        api_answer(api->call);
    else
        api_refuse(api->call, refusal.status, refusal.code, "%s", refusal.text);
    json_decref(root);
}

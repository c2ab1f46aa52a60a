#include "parameters.h"

#include "base/strbuf.h"

#include <string.h>

static struct parameter *find(struct parameter *parameters, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

static bool refuse_unknown(const struct parameter *parameters, size_t count, const char *name,
                           struct error *error) {
    struct strbuf known = {0};
    for (size_t i = 0; i < count; i++)
        strbuf_format(&known, "%s%s", i ? ", " : "", parameters[i].name);
    error_set(error, "there is no key \"%.80s\" (there is %s)", name, strbuf_text(&known));
    strbuf_free(&known);
    return false;
}

static bool take(struct parameter *parameter, const json_t *value, struct error *error) {
    static const char *const wanted[] = {
        [PARAMETER_TEXT] = "a string", [PARAMETER_BOOL] = "true or false", [PARAMETER_NUMBER] = "a number"};
    parameter->text = json_string_value(value);
    parameter->flag = json_is_true(value);
    parameter->number = json_number_value(value);
    parameter->given = parameter->kind == PARAMETER_TEXT   ? json_is_string(value)
                       : parameter->kind == PARAMETER_BOOL ? json_is_boolean(value)
                                                           : json_is_number(value);
    // what a C string cannot hold would be cut without a word
    if (parameter->given && parameter->text && strlen(parameter->text) != json_string_length(value))
        return error_set(error, "%s must not contain NUL", parameter->name);
    return parameter->given || error_set(error, "%s must be %s", parameter->name, wanted[parameter->kind]);
}

bool parameters_take(const json_t *object, struct parameter *parameters, size_t count, struct error *error) {
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return error_set(error, "the body must be a JSON object");
    json_object_foreach((json_t *)object, name, value) {
        struct parameter *parameter = find(parameters, count, name);
        if (!parameter)
            return refuse_unknown(parameters, count, name, error);
        if (!take(parameter, value, error))
            return false;
    }
    return true;
}

bool parameters_read(struct slice body, struct parameter *parameters, size_t count, json_t **root,
                     struct error *error) {
    json_error_t why;
    *root = NULL;
    if (slice_trim(body).len == 0)
        return true;
    *root = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (!*root)
        return error_set(error, "the body is not JSON: %s", why.text);
    return parameters_take(*root, parameters, count, error);
}

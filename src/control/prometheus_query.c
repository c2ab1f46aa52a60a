#include "prometheus_query.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// ---- the question

static bool names(const char *at, const char *variable) { // at: behind the $
    size_t len = strlen(variable);
    return strncmp(at, variable, len) == 0 && !isalnum((unsigned char)at[len]) && at[len] != '_';
}

void prometheus_expand(const char *query, const char *route, const char *variant, struct strbuf *out) {
    for (const char *at = query; *at; at++) {
        if (*at == '$' && names(at + 1, "variant")) {
            strbuf_string(out, variant);
            at += strlen("variant");
        } else if (*at == '$' && names(at + 1, "route")) {
            strbuf_string(out, route);
            at += strlen("route");
        } else {
            strbuf_char(out, *at);
        }
    }
}

static void append_encoded(struct strbuf *out, struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 128 && (isalnum(c) || strchr("-._~", c)))
            strbuf_char(out, (char)c);
        else
            strbuf_format(out, "%%%02X", c);
    }
}

void prometheus_url(const char *url, struct slice query, struct strbuf *out) {
    size_t len = strcspn(url, "?#"), base = len;
    while (base && url[base - 1] == '/')
        base--;
    strbuf_append(out, url, base);
    strbuf_literal(out, "/api/v1/query?");
    if (url[len] == '?') {
        size_t own = strcspn(url + len + 1, "#");
        strbuf_append(out, url + len + 1, own);
        if (own)
            strbuf_char(out, '&');
    }
    strbuf_literal(out, "query=");
    append_encoded(out, query);
}

// ---- the answer

static enum prometheus_outcome failed(char *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum prometheus_outcome failed(char *why, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, PROMETHEUS_WHY, format, arguments);
    va_end(arguments);
    return PROMETHEUS_ERROR;
}

// A sample is [time, "text"].
static enum prometheus_outcome read_sample(json_t *sample, double *value, char *why) {
    const char *text = json_string_value(json_array_get(sample, 1));
    char *end;
    if (json_array_size(sample) != 2 || !text || !*text || isspace((unsigned char)*text))
        return failed(why, "Prometheus answered a sample that is not one");
    *value = strtod(text, &end);
    if (*end)
        return failed(why, "Prometheus answered \"%.40s\", which is not a number", text);
    if (!isfinite(*value))
        return failed(why, "Prometheus answered %.40s: the query divides by zero, or has no samples", text);
    return PROMETHEUS_VALUE;
}

static enum prometheus_outcome read_result(json_t *data, double *value, char *why) {
    const char *type = json_string_value(json_object_get(data, "resultType"));
    json_t *result = json_object_get(data, "result");
    if (!type || !json_is_array(result))
        return failed(why, "Prometheus answered no result");
    if (strcmp(type, "scalar") == 0)
        return read_sample(result, value, why);
    if (strcmp(type, "vector") != 0)
        return failed(why, "the query gives a %.20s, not a number", type);
    if (json_array_size(result) == 0)
        return PROMETHEUS_NO_DATA;
    if (json_array_size(result) > 1)
        return failed(why, "the query gives %zu samples; one is wanted (use sum, max or avg)",
                      json_array_size(result));
    return read_sample(json_object_get(json_array_get(result, 0), "value"), value, why);
}

// Of a root that is JSON: whether there is data.
static bool root_holds(json_t *root, long status, char *why) {
    const char *outcome = json_string_value(json_object_get(root, "status"));
    const char *error = json_string_value(json_object_get(root, "error"));
    const char *warning = json_string_value(json_array_get(json_object_get(root, "warnings"), 0));
    if (!outcome && status / 100 != 2)
        failed(why, "Prometheus answered %ld", status);
    else if (status / 100 != 2 || !outcome || strcmp(outcome, "success") != 0)
        failed(why, "Prometheus refused the query: %.110s", error ? error : "it does not say why");
    else if (warning) // part of the data may be missing
        failed(why, "Prometheus warns: %.120s", warning);
    return !why[0];
}

// `wanted`: what a whole answer would be no more than. NULL: there is no data, and `why` says why.
static json_t *read_answer(const struct fetch_answer *answer, const char *wanted, char *why) {
    why[0] = '\0';
    if (answer->error[0])
        failed(why, "Prometheus gave no answer: %.120s", answer->error);
    else if (answer->truncated)
        failed(why, "Prometheus answered more than %s", wanted);
    if (why[0])
        return NULL;
    json_t *root = json_loadb(answer->body.at ? answer->body.at : "", answer->body.len, 0, NULL);
    if (json_is_object(root)) {
        if (root_holds(root, answer->status, why))
            return root;
    } else if (answer->status / 100 == 2) {
        failed(why, "Prometheus did not answer in JSON");
    } else {
        failed(why, "Prometheus answered %ld", answer->status);
    }
    json_decref(root);
    return NULL;
}

enum prometheus_outcome prometheus_read(const struct fetch_answer *answer, double *value,
                                        char why[PROMETHEUS_WHY]) {
    *value = NAN;
    json_t *root = read_answer(answer, "one number needs", why);
    if (!root)
        return PROMETHEUS_ERROR;
    enum prometheus_outcome outcome = read_result(json_object_get(root, "data"), value, why);
    json_decref(root);
    if (outcome != PROMETHEUS_VALUE)
        *value = NAN;
    return outcome;
}

json_t *prometheus_read_vector(const struct fetch_answer *answer, char why[PROMETHEUS_WHY]) {
    json_t *root = read_answer(answer, "is read of it", why);
    json_t *data = json_object_get(root, "data"), *result = json_object_get(data, "result");
    const char *type = json_string_value(json_object_get(data, "resultType"));
    if (root && (!type || strcmp(type, "vector") != 0 || !json_is_array(result)))
        failed(why, "Prometheus answered no result");
    result = why[0] ? NULL : json_incref(result);
    json_decref(root);
    return result;
}

bool prometheus_sample(const json_t *of_vector, double *value) {
    json_t *sample = json_object_get(of_vector, "value");
    const char *text = json_string_value(json_array_get(sample, 1));
    char *end;
    *value = NAN;
    if (json_array_size(sample) != 2 || !text || !*text || isspace((unsigned char)*text))
        return false;
    double read = strtod(text, &end);
    if (*end)
        return false;
    *value = read;
    return true;
}

// The commands that change a running daemon.
#include "app/client.h"
#include "app/commands.h"
#include "control/emit.h"
#include "control/percent.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void print_json(const struct strbuf *answer) {
    fwrite(answer->at, 1, answer->len, stdout);
}

// "VARIANT=PERCENT" as a member of an object; false when it is not of that form.
static bool emit_weight(struct emit *emit, const char *text, unsigned *sum) {
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text)
        return false;
    struct slice number = slice_of(equals + 1);
    if (number.len && number.at[number.len - 1] == '%')
        number.len--;
    uint16_t weight;
    if (!percent_parse(number, &weight))
        return false;
    char *name = strndup(text, (size_t)(equals - text));
    emit_percent(emit_name(emit, name), weight);
    free(name);
    *sum += weight;
    return true;
}

static bool write_weights(const struct invocation *invocation, struct strbuf *body) {
    struct emit emit = {.out = body};
    unsigned sum = 0;
    emit_object(&emit);
    emit_object(emit_name(&emit, "weights"));
    for (int i = 1; i < invocation->argument_count; i++) {
        if (emit_weight(&emit, invocation->arguments[i], &sum))
            continue;
        fprintf(stderr, "sluice weight: \"%s\" is not VARIANT=PERCENT (0 to 100, at most two decimals)\n",
                invocation->arguments[i]);
        return false;
    }
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    if (sum != 10000)
        fprintf(stderr, "sluice weight: the weights sum to %u.%02u, not to 100\n", sum / 100, sum % 100);
    return sum == 10000;
}

static void print_weights(const struct strbuf *answer) {
    json_t *root = json_loadb(answer->at, answer->len, 0, NULL);
    const char *name;
    json_t *weight;
    printf("%s:", json_string_value(json_object_get(root, "route")));
    json_object_foreach(json_object_get(root, "weights"), name, weight)
        printf(" %s=%g", name, json_number_value(weight));
    printf("\n");
    json_decref(root);
}

int command_weight(const struct invocation *invocation) {
    struct strbuf path = {0}, body = {0}, answer = {0};
    int result = EXIT_REFUSED;
    if (write_weights(invocation, &body)) {
        strbuf_literal(&path, "/api/v1/routes/");
        client_encode(&path, invocation->arguments[0]);
        strbuf_literal(&path, "/weights");
        result = client_call(invocation, strbuf_text(&path), strbuf_text(&body), &answer);
    }
    if (result == EXIT_DONE && invocation->json)
        print_json(&answer);
    else if (result == EXIT_DONE)
        print_weights(&answer);
    strbuf_free(&path);
    strbuf_free(&body);
    strbuf_free(&answer);
    return result;
}

static void print_drain(const struct strbuf *answer) {
    json_t *root = json_loadb(answer->at, answer->len, 0, NULL);
    bool drained = json_is_true(json_object_get(root, "drained"));
    bool changed = json_is_true(json_object_get(root, "changed"));
    json_int_t inflight = json_integer_value(json_object_get(root, "inflight"));
    printf("%s: %s %s %s", json_string_value(json_object_get(root, "pool")),
           json_string_value(json_object_get(root, "endpoint")), changed ? "is" : "was already",
           drained ? "drained" : "undrained");
    if (drained && inflight)
        printf(", %lld requests are finishing", (long long)inflight);
    printf("\n");
    json_decref(root);
}

int command_drain(const struct invocation *invocation) {
    struct strbuf path = {0}, body = {0}, answer = {0};
    strbuf_literal(&path, "/api/v1/pools/");
    client_encode(&path, invocation->arguments[0]);
    strbuf_format(&path, "/%s", invocation->command->name);
    strbuf_literal(&body, "{\"endpoint\":");
    strbuf_json(&body, slice_of(invocation->arguments[1]));
    strbuf_char(&body, '}');
    int result = client_call(invocation, strbuf_text(&path), strbuf_text(&body), &answer);
    if (result == EXIT_DONE && invocation->json)
        print_json(&answer);
    else if (result == EXIT_DONE)
        print_drain(&answer);
    strbuf_free(&path);
    strbuf_free(&body);
    strbuf_free(&answer);
    return result;
}

static void print_reload(json_t *root) {
    size_t i;
    json_t *warning;
    printf("reloaded %s in %.1f ms: %lld routes, %lld pools, %lld endpoints\n",
           json_string_value(json_object_get(root, "file")),
           json_number_value(json_object_get(root, "elapsed_ms")),
           (long long)json_integer_value(json_object_get(root, "routes")),
           (long long)json_integer_value(json_object_get(root, "pools")),
           (long long)json_integer_value(json_object_get(root, "endpoints")));
    json_array_foreach(json_object_get(root, "warnings"), i, warning)
        fprintf(stderr, "warning: %s\n", json_string_value(warning));
}

static void print_refusal(json_t *root) {
    size_t i;
    json_t *mistake, *error = json_object_get(root, "error");
    json_array_foreach(json_object_get(error, "diagnostics"), i, mistake)
        fprintf(stderr, "%s\n", json_string_value(json_object_get(mistake, "text")));
    const char *message = json_string_value(json_object_get(error, "message"));
    fprintf(stderr, "sluice reload: %s\n", message ? message : "refused");
}

int command_reload(const struct invocation *invocation) {
    struct strbuf answer = {0};
    int result = client_call_quietly(invocation, "/api/v1/reload", "{}", &answer);
    json_t *root = answer.len ? json_loadb(answer.at, answer.len, 0, NULL) : NULL;
    if (result == EXIT_REFUSED)
        print_refusal(root);
    if (result <= EXIT_REFUSED && invocation->json)
        print_json(&answer);
    else if (result == EXIT_DONE)
        print_reload(root);
    json_decref(root);
    strbuf_free(&answer);
    return result;
}

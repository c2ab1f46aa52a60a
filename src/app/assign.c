// `sluice assign`: asks a daemon, or computes from a file with the function that the daemon uses.
#include "app/client.h"
#include "app/commands.h"
#include "base/mem.h"
#include "config/config.h"
#include "traffic/decide.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void print_tabbed(const struct live_route *live, struct slice unit) {
    struct decision decision;
    decide_unit(live, unit, &decision);
    printf("%.*s\t%u\t%s\n", (int)unit.len, unit.at, decision.bucket,
           live->config->variants[decision.variant].name);
}

// One unit a line; the line end does not belong to it.
static void assign_lines(const struct live_route *live) {
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while ((len = getline(&line, &room, stdin)) > 0) {
        if (line[len - 1] == '\n')
            len--;
        if (len > 0)
            print_tabbed(live, slice_make(line, (size_t)len));
    }
    free(line);
}

static int assign_offline(const struct invocation *invocation) {
    struct diagnostics diagnostics = {0};
    struct config *config = config_load(invocation->config, &diagnostics);
    struct strbuf text = {0};
    for (size_t i = 0; i < diagnostics.count; i++) {
        diagnostic_write(&diagnostics.items[i], invocation->config, &text);
        strbuf_char(&text, '\n');
    }
    fwrite(text.at ? text.at : "", 1, text.len, stderr);
    strbuf_free(&text);
    diagnostics_free(&diagnostics);
    if (!config)
        return EXIT_REFUSED;
    const struct route_config *route = config_route(config, invocation->arguments[0], NULL);
    if (route) {
        struct live_route live;
        live_route_init(&live, route);
        for (int i = 1; i < invocation->argument_count; i++) {
            if (strcmp(invocation->arguments[i], "-") == 0)
                assign_lines(&live);
            else
                print_tabbed(&live, slice_of(invocation->arguments[i]));
        }
    } else {
        fprintf(stderr, "sluice assign: there is no route %s\n", invocation->arguments[0]);
    }
    config_unref(config);
    return route && fflush(stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
}

static void print_answer(const struct strbuf *answer) {
    json_t *root = json_loadb(answer->at, answer->len, 0, NULL), *range;
    json_int_t bucket = json_integer_value(json_object_get(root, "bucket"));
    size_t i;
    printf("%s -> %s\n", json_string_value(json_object_get(root, "unit")),
           json_string_value(json_object_get(root, "variant")));
    printf("  bucket %lld of 0..9999 by salt \"%s\"\n", (long long)bucket,
           json_string_value(json_object_get(root, "salt")));
    json_array_foreach(json_object_get(root, "ranges"), i, range) {
        json_int_t first = json_integer_value(json_object_get(range, "first"));
        json_int_t end = json_integer_value(json_object_get(range, "end"));
        printf("  %5lld..%-5lld %s%s\n", (long long)first, (long long)end - 1,
               json_string_value(json_object_get(range, "variant")),
               bucket >= first && bucket < end ? "   <- here" : "");
    }
    json_decref(root);
}

static int assign_online(const struct invocation *invocation, const char *unit) {
    struct strbuf path = {0}, answer = {0};
    strbuf_literal(&path, "/api/v1/routes/");
    client_encode(&path, invocation->arguments[0]);
    strbuf_literal(&path, "/assign?unit=");
    client_encode(&path, unit);
    int result = client_call(invocation, strbuf_text(&path), NULL, &answer);
    if (result == EXIT_DONE && invocation->json)
        fwrite(answer.at, 1, answer.len, stdout);
    else if (result == EXIT_DONE)
        print_answer(&answer);
    strbuf_free(&path);
    strbuf_free(&answer);
    return result;
}

int command_assign(const struct invocation *invocation) {
    if (invocation->config)
        return assign_offline(invocation);
    int result = EXIT_DONE;
    for (int i = 1; result == EXIT_DONE && i < invocation->argument_count; i++)
        result = assign_online(invocation, invocation->arguments[i]);
    return result;
}

// `sluice status`: the daemon's status for people.
#include "app/client.h"
#include "app/commands.h"
#include "app/paint.h"

#include "rollout_text.h"

#include <jansson.h>
#include <string.h>

#define ENDPOINTS_SHOWN 40 // of one pool; the JSON has them all

static const char *text(json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "-";
}

static double number(json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static long long integer(json_t *object, const char *key) {
    return (long long)json_integer_value(json_object_get(object, key));
}

static void print_uptime(double seconds) {
    long long left = (long long)seconds;
    if (left >= 86400)
        printf("%lldd %lldh", left / 86400, left / 3600 % 24);
    else if (left >= 3600)
        printf("%lldh %lldm", left / 3600, left / 60 % 60);
    else
        printf("%lldm %llds", left / 60, left % 60);
}

static void print_daemon(json_t *root) {
    json_t *config = json_object_get(root, "config"), *last = json_object_get(config, "last_reload");
    json_t *listeners = json_object_get(root, "listeners");
    printf("%ssluice %s%s  pid %lld  up ", paint(PAINT_BOLD), text(root, "version"), paint(PAINT_PLAIN),
           integer(root, "pid"));
    print_uptime(number(root, "uptime_seconds"));
    printf("  workers %lld  connections %lld%s%s%s\n", integer(root, "workers"), integer(root, "connections"),
           paint(PAINT_YELLOW), json_is_true(json_object_get(root, "draining")) ? "  DRAINING" : "",
           paint(PAINT_PLAIN));
    printf("config %s  loaded %s  plan %lld\n", text(config, "file"), text(config, "loaded"),
           integer(config, "plan"));
    size_t i;
    json_t *item;
    json_array_foreach(listeners, i, item) printf("%s%s", i ? ", " : "listening on ", text(item, "address"));
    printf("%s", json_array_size(listeners) ? "\n" : "");
    if (strcmp(text(last, "result"), "failure") != 0)
        return;
    printf("%sthe last reload failed at %s; the configuration before it runs on%s\n", paint(PAINT_RED),
           text(last, "at"), paint(PAINT_PLAIN));
    json_array_foreach(json_object_get(last, "diagnostics"), i, item) printf("  %s\n", text(item, "text"));
}

static int name_width(json_t *variants) {
    size_t i, widest = 8;
    json_t *variant;
    json_array_foreach(variants, i, variant) {
        size_t len = strlen(text(variant, "name"));
        widest = len > widest ? len : widest;
    }
    return (int)(widest < 40 ? widest : 40);
}

static void print_variant(json_t *variant, int width) {
    json_t *latency = json_object_get(variant, "latency_ms"), *first = json_object_get(variant, "ttft_ms");
    long long requests = integer(variant, "requests"), errors = integer(variant, "errors");
    double share = requests ? 100.0 * (double)errors / (double)requests : 0;
    printf("  %-*s %6.4g%%  %-10.10s %-12.12s %10lld %9.1f  %s%6.2f%%%s %9.1f %9.1f %9.1f\n", width,
           text(variant, "name"), number(variant, "weight"), text(variant, "version"), text(variant, "pool"),
           requests, number(variant, "per_second"), errors ? paint(PAINT_RED) : "", share,
           errors ? paint(PAINT_PLAIN) : "", number(latency, "p50"), number(latency, "p95"),
           number(first, "p50"));
}

static void print_route(json_t *route) {
    json_t *variants = json_object_get(route, "variants"), *variant;
    int width = name_width(variants);
    size_t i;
    printf("\nroute %s%s%s  salt %s%s%s%s\n", paint(PAINT_BOLD), text(route, "name"), paint(PAINT_PLAIN),
           text(route, "salt"), paint(PAINT_YELLOW),
           strcmp(text(route, "weights_from"), "command") == 0 ? "  weights set by hand" : "",
           paint(PAINT_PLAIN));
    printf("%s  %-*s %7s  %-10s %-12s %10s %9s  %7s %9s %9s %9s%s\n", paint(PAINT_DIM), width, "variant",
           "weight", "version", "pool", "requests", "req/s", "errors", "p50 ms", "p95 ms", "ttft ms",
           paint(PAINT_PLAIN));
    json_array_foreach(variants, i, variant) print_variant(variant, width);
    struct strbuf rollout = {0};
    rollout_text_status(&rollout, json_object_get(route, "rollout"));
    fwrite(rollout.at ? rollout.at : "", 1, rollout.len, stdout);
    strbuf_free(&rollout);
}

static enum paint state_colour(const char *state) {
    if (strcmp(state, "ready") == 0)
        return PAINT_GREEN;
    return strcmp(state, "drained") == 0 || strcmp(state, "updating") == 0 ? PAINT_YELLOW : PAINT_RED;
}

static void print_pool(json_t *pool) {
    json_t *endpoints = json_object_get(pool, "endpoints"), *endpoint;
    size_t i;
    printf("\npool %s%s%s  %s", paint(PAINT_BOLD), text(pool, "name"), paint(PAINT_PLAIN),
           text(pool, "balance"));
    if (integer(pool, "waiting"))
        printf("  %lld waiting", integer(pool, "waiting"));
    printf("\n");
    json_array_foreach(endpoints, i, endpoint) {
        if (i == ENDPOINTS_SHOWN) {
            printf("  … %zu more (--json shows all)\n", json_array_size(endpoints) - i);
            break;
        }
        const char *state = text(endpoint, "state");
        const char *result = text(json_object_get(endpoint, "last_check"), "result");
        printf("  %s%-9s%s %-32s in flight %lld", paint(state_colour(state)), state, paint(PAINT_PLAIN),
               text(endpoint, "url"), integer(endpoint, "inflight"));
        size_t addresses = json_array_size(json_object_get(endpoint, "addresses"));
        if (addresses > 1)
            printf("  %zu addresses", addresses);
        json_t *back_off = json_object_get(endpoint, "back_off");
        if (json_is_object(back_off))
            printf("  %sbacking off for %.1f s%s", paint(PAINT_YELLOW), number(back_off, "for_seconds"),
                   paint(PAINT_PLAIN));
        if (strcmp(result, "-") != 0 && strcmp(result, "ok") != 0)
            printf("  last check: %s", result);
        printf("\n");
    }
}

static void print_status(json_t *root) {
    json_t *item;
    size_t i;
    print_daemon(root);
    json_array_foreach(json_object_get(root, "routes"), i, item) print_route(item);
    json_array_foreach(json_object_get(root, "pools"), i, item) print_pool(item);
}

int command_status(const struct invocation *invocation) {
    struct strbuf path = {0}, answer = {0};
    bool one = invocation->argument_count == 1;
    strbuf_string(&path, one ? "/api/v1/routes/" : "/api/v1/status");
    if (one)
        client_encode(&path, invocation->arguments[0]);
    int result = client_call(invocation, strbuf_text(&path), NULL, &answer);
    if (result == EXIT_DONE && invocation->json) {
        fwrite(answer.at, 1, answer.len, stdout);
    } else if (result == EXIT_DONE) {
        json_t *root = json_loadb(answer.at, answer.len, 0, NULL);
        if (one)
            print_route(root);
        else
            print_status(root);
        json_decref(root);
    }
    strbuf_free(&path);
    strbuf_free(&answer);
    return result;
}

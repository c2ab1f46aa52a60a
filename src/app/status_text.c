#include "status_text.h"

#include "app/paint.h"
#include "member.h"
#include "rollout_text.h"
#include "words.h"

#include <string.h>

#define ENDPOINTS_SHOWN 40 // of one pool; the JSON has them all

static void write_uptime(struct strbuf *out, double seconds) {
    long long left = (long long)seconds;
    if (left >= 86400)
        strbuf_format(out, "%lldd %lldh", left / 86400, left / 3600 % 24);
    else if (left >= 3600)
        strbuf_format(out, "%lldh %lldm", left / 3600, left / 60 % 60);
    else
        strbuf_format(out, "%lldm %llds", left / 60, left % 60);
}

void status_text_daemon(struct strbuf *out, const json_t *root) {
    const json_t *config = json_object_get(root, "config"), *last = json_object_get(config, "last_reload");
    const json_t *listeners = json_object_get(root, "listeners");
    strbuf_format(out, "%ssluice %s%s  pid %lld  up ", paint(PAINT_BOLD), member_text(root, "version"),
                  paint(PAINT_PLAIN), member_integer(root, "pid"));
    write_uptime(out, member_number(root, "uptime_seconds"));
    strbuf_format(out, "  workers %lld  connections %lld%s%s%s\n", member_integer(root, "workers"),
                  member_integer(root, "connections"), paint(PAINT_YELLOW),
                  json_is_true(json_object_get(root, "draining")) ? "  DRAINING" : "", paint(PAINT_PLAIN));
    strbuf_format(out, "config %s  loaded %s  plan %lld\n", member_text(config, "file"),
                  member_text(config, "loaded"), member_integer(config, "plan"));
    size_t i;
    const json_t *item;
    json_array_foreach(listeners, i, item)
        strbuf_format(out, "%s%s", i ? ", " : "listening on ", member_text(item, "address"));
    strbuf_string(out, json_array_size(listeners) ? "\n" : "");
    if (strcmp(member_text(last, "result"), "failure") != 0)
        return;
    strbuf_format(out, "%sthe last reload failed at %s; the configuration before it runs on%s\n",
                  paint(PAINT_RED), member_text(last, "at"), paint(PAINT_PLAIN));
    json_array_foreach(json_object_get(last, "diagnostics"), i, item) {
        strbuf_literal(out, "  ");
        words_plain(out, member_text(item, "text"));
        strbuf_char(out, '\n');
    }
}

static int name_width(const json_t *variants) {
    size_t i, widest = 8;
    const json_t *variant;
    json_array_foreach(variants, i, variant) {
        size_t len = strlen(member_text(variant, "name"));
        widest = len > widest ? len : widest;
    }
    return (int)(widest < 40 ? widest : 40);
}

static void write_variant(struct strbuf *out, const json_t *variant, int width) {
    const json_t *latency = json_object_get(variant, "latency_ms"),
                 *first = json_object_get(variant, "ttft_ms");
    long long requests = member_integer(variant, "requests"), errors = member_integer(variant, "errors");
    double share = requests ? 100.0 * (double)errors / (double)requests : 0;
    strbuf_format(out, "  %-*s %6.4g%%  %-10.10s %-12.12s %10lld %9.1f  %s%6.2f%%%s %9.1f %9.1f %9.1f\n",
                  width, member_text(variant, "name"), member_number(variant, "weight"),
                  member_text(variant, "version"), member_text(variant, "pool"), requests,
                  member_number(variant, "per_second"), errors ? paint(PAINT_RED) : "", share,
                  errors ? paint(PAINT_PLAIN) : "", member_number(latency, "p50"),
                  member_number(latency, "p95"), member_number(first, "p50"));
}

void status_text_route(struct strbuf *out, const json_t *route) {
    const json_t *variants = json_object_get(route, "variants"), *variant;
    int width = name_width(variants);
    size_t i;
    strbuf_format(out, "\nroute %s%s%s  salt %s%s%s%s\n", paint(PAINT_BOLD), member_text(route, "name"),
                  paint(PAINT_PLAIN), member_text(route, "salt"), paint(PAINT_YELLOW),
                  strcmp(member_text(route, "weights_from"), "command") == 0 ? "  weights set by hand" : "",
                  paint(PAINT_PLAIN));
    strbuf_format(out, "%s  %-*s %7s  %-10s %-12s %10s %9s  %7s %9s %9s %9s%s\n", paint(PAINT_DIM), width,
                  "variant", "weight", "version", "pool", "requests", "req/s", "errors", "p50 ms", "p95 ms",
                  "ttft ms", paint(PAINT_PLAIN));
    json_array_foreach(variants, i, variant) write_variant(out, variant, width);
    rollout_text_status(out, json_object_get(route, "rollout"));
}

static enum paint state_colour(const char *state) {
    if (strcmp(state, "ready") == 0)
        return PAINT_GREEN;
    return strcmp(state, "drained") == 0 || strcmp(state, "updating") == 0 ? PAINT_YELLOW : PAINT_RED;
}

static void write_endpoint(struct strbuf *out, const json_t *endpoint) {
    const char *state = member_text(endpoint, "state");
    const char *result = member_text(json_object_get(endpoint, "last_check"), "result");
    size_t addresses = json_array_size(json_object_get(endpoint, "addresses"));
    const json_t *back_off = json_object_get(endpoint, "back_off");
    strbuf_format(out, "  %s%-9s%s %-32s in flight %lld", paint(state_colour(state)), state,
                  paint(PAINT_PLAIN), member_text(endpoint, "url"), member_integer(endpoint, "inflight"));
    if (addresses > 1)
        strbuf_format(out, "  %zu addresses", addresses);
    if (json_is_object(back_off))
        strbuf_format(out, "  %sbacking off for %.1f s%s", paint(PAINT_YELLOW),
                      member_number(back_off, "for_seconds"), paint(PAINT_PLAIN));
    if (strcmp(result, "-") != 0 && strcmp(result, "ok") != 0)
        strbuf_format(out, "  last check: %s", result);
    strbuf_char(out, '\n');
}

void status_text_pool(struct strbuf *out, const json_t *pool) {
    const json_t *endpoints = json_object_get(pool, "endpoints"), *endpoint;
    size_t i;
    strbuf_format(out, "\npool %s%s%s  %s", paint(PAINT_BOLD), member_text(pool, "name"), paint(PAINT_PLAIN),
                  member_text(pool, "balance"));
    if (member_integer(pool, "waiting"))
        strbuf_format(out, "  %lld waiting", member_integer(pool, "waiting"));
    strbuf_char(out, '\n');
    json_array_foreach(endpoints, i, endpoint) {
        if (i == ENDPOINTS_SHOWN) {
            strbuf_format(out, "  … %zu more (--json shows all)\n", json_array_size(endpoints) - i);
            break;
        }
        write_endpoint(out, endpoint);
    }
}

void status_text_whole(struct strbuf *out, const json_t *root) {
    const json_t *item;
    size_t i;
    status_text_daemon(out, root);
    json_array_foreach(json_object_get(root, "routes"), i, item) status_text_route(out, item);
    json_array_foreach(json_object_get(root, "pools"), i, item) status_text_pool(out, item);
}

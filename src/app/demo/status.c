#include "status.h"

#include "base/strbuf.h"
#include "control/percent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUTE "chat"

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static void read_variants(struct status *status, const json_t *variants) {
    size_t i;
    json_t *item;
    json_array_foreach(variants, i, item) {
        struct strbuf weight = {0};
        if (status->variant_count == WITNESS_VARIANTS)
            return;
        struct status_variant *variant = &status->variants[status->variant_count++];
        percent_write(&weight, (uint16_t)lround(json_number_value(json_object_get(item, "weight")) * 100));
        snprintf(variant->name, sizeof variant->name, "%s", text_of(item, "name"));
        snprintf(variant->weight, sizeof variant->weight, "%s", strbuf_text(&weight));
        strbuf_free(&weight);
    }
}

static void read_pool(struct status *status, const json_t *pool) {
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(pool, "endpoints"), i, item) {
        if (status->endpoint_count == STATUS_ENDPOINTS)
            return;
        struct status_endpoint *endpoint = &status->endpoints[status->endpoint_count++];
        snprintf(endpoint->pool, sizeof endpoint->pool, "%s", text_of(pool, "name"));
        snprintf(endpoint->url, sizeof endpoint->url, "%s", text_of(item, "url"));
        snprintf(endpoint->state, sizeof endpoint->state, "%s", text_of(item, "state"));
    }
}

static void read_reload(struct status *status, const json_t *config) {
    const json_t *reload = json_object_get(config, "last_reload");
    const json_t *first = json_array_get(json_object_get(reload, "diagnostics"), 0);
    snprintf(status->reloaded, sizeof status->reloaded, "%s", text_of(reload, "at"));
    status->reload_failed = strcmp(text_of(reload, "result"), "failure") == 0;
    snprintf(status->reload_error, sizeof status->reload_error, "%s", text_of(first, "text"));
}

const json_t *status_route(const json_t *json) {
    const json_t *routes = json_object_get(json, "routes");
    size_t i;
    json_t *route;
    json_array_foreach(routes, i, route) {
        if (strcmp(text_of(route, "name"), ROUTE) == 0)
            return route;
    }
    return json_array_get(routes, 0);
}

bool status_read(struct status *status, const json_t *json) {
    const json_t *route = status_route(json);
    size_t i;
    json_t *pool;
    *status = (struct status){.known = true};
    if (!route)
        return false;
    read_variants(status, json_object_get(route, "variants"));
    snprintf(status->from, sizeof status->from, "%s", text_of(route, "weights_from"));
    json_array_foreach(json_object_get(json, "pools"), i, pool) {
        read_pool(status, pool);
    }
    read_reload(status, json_object_get(json, "config"));
    return true;
}

static void compare_reloads(const struct status *before, const struct status *after, struct news *news) {
    if (strcmp(before->reloaded, after->reloaded) == 0)
        return;
    if (after->reload_failed)
        news_add(news, "reload refused, nothing has changed: %s", after->reload_error);
    else
        news_add(news, "configuration reloaded");
}

static bool same_weights(const struct status *before, const struct status *after) {
    bool same = before->variant_count == after->variant_count;
    for (int i = 0; same && i < after->variant_count; i++)
        same = strcmp(before->variants[i].name, after->variants[i].name) == 0 &&
               strcmp(before->variants[i].weight, after->variants[i].weight) == 0;
    return same;
}

static void compare_weights(const struct status *before, const struct status *after, struct news *news) {
    struct strbuf text = {0};
    if (same_weights(before, after) || strcmp(after->from, "rollout") == 0) // its decisions tell of them
        return;
    for (int i = 0; i < after->variant_count; i++)
        strbuf_format(&text, "%s%s %s%%", i ? ", " : "", after->variants[i].name, after->variants[i].weight);
    news_add(news, "weights are now %s (%s)", strbuf_text(&text),
             strcmp(after->from, "command") == 0 ? "by hand" : "from the file");
    strbuf_free(&text);
}

static const struct status_endpoint *find_endpoint(const struct status *status,
                                                   const struct status_endpoint *like) {
    for (int i = 0; i < status->endpoint_count; i++)
        if (strcmp(status->endpoints[i].pool, like->pool) == 0 &&
            strcmp(status->endpoints[i].url, like->url) == 0)
            return &status->endpoints[i];
    return NULL;
}

static void compare_endpoints(const struct status *before, const struct status *after, struct news *news) {
    for (int i = 0; i < after->endpoint_count; i++) {
        const struct status_endpoint *now = &after->endpoints[i], *then = find_endpoint(before, now);
        if (!then)
            news_add(news, "endpoint %s joined %s", now->url, now->pool);
        else if (strcmp(then->state, now->state) != 0)
            news_add(news, "endpoint %s of %s is %s", now->url, now->pool, now->state);
    }
    for (int i = 0; i < before->endpoint_count; i++)
        if (!find_endpoint(after, &before->endpoints[i]))
            news_add(news, "endpoint %s left %s", before->endpoints[i].url, before->endpoints[i].pool);
}

void status_compare(const struct status *before, const struct status *after, struct news *news) {
    if (!before->known)
        return;
    compare_reloads(before, after, news);
    compare_weights(before, after, news);
    compare_endpoints(before, after, news);
}

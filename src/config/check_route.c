// Routes: references, weights, conditions, and what follows from them (salt, baseline, indices).
#include "base/mem.h"
#include "base/strbuf.h"
#include "check.h"
#include "config/rollout.h"
#include "value.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define VARIANTS_MOST 16

// ---- names

struct named { // for sorted look-ups
    const char *name;
    struct place place;
    size_t index;
};

static int by_name(const void *left, const void *right) {
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

static const struct named *find(const struct named *sorted, size_t count, const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(sorted[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(sorted[low].name, name) == 0 ? &sorted[low] : NULL;
}

size_t check_variant(struct check *check, const struct route_config *route, struct place place,
                     const char *key, const char *name) {
    const char *names[64];
    size_t count = route->variant_count < 64 ? route->variant_count : 64;
    for (size_t i = 0; i < route->variant_count; i++)
        if (strcmp(route->variants[i].name, name) == 0)
            return i;
    for (size_t i = 0; i < count; i++)
        names[i] = route->variants[i].name;
    report_add(check->report, report_place(check->report, name, place),
               suggest(check->arena, name, names, count), "`%s: %s` names no variant of route `%s`", key,
               name, route->name ? route->name : "?");
    return route->variant_count;
}

static void unknown_pool(struct check *check, const struct variant_config *variant) {
    struct config *config = check->config;
    const char **names = mem_alloc((config->pool_count + 1) * sizeof *names);
    for (size_t i = 0; i < config->pool_count; i++)
        names[i] = config->pools[i].name;
    report_add(check->report, report_place(check->report, variant->pool, variant->place),
               suggest(check->arena, variant->pool, names, config->pool_count),
               "variant `%s` names pool `%s`, which does not exist", variant->name, variant->pool);
    mem_free(names);
}

// ---- weights

static const char *percent(struct check *check, int64_t points) {
    if (points % 100 == 0)
        return arena_format(check->arena, "%lld", (long long)points / 100);
    return arena_format(check->arena, points % 10 ? "%lld.%02lld" : "%lld.%lld", (long long)points / 100,
                        points % 10 ? (long long)points % 100 : (long long)points % 100 / 10);
}

static void check_weights(struct check *check, struct route_config *route) {
    int64_t sum = 0;
    size_t missing = 0;
    const struct variant_config *without = NULL;
    for (size_t i = 0; i < route->variant_count; i++) {
        struct variant_config *variant = &route->variants[i];
        if (variant->weight < 0) {
            missing++;
            without = variant;
            if (route->variant_count == 1)
                variant->weight = SHARE_WHOLE;
        }
        sum += variant->weight > 0 ? variant->weight : 0;
    }
    if (sum == SHARE_WHOLE && missing == 0)
        return;
    if (route->variant_count == 1 && missing)
        return;
    const char *hint = NULL;
    if (missing == 1 && sum <= SHARE_WHOLE)
        hint = arena_format(check->arena, "give `%s` weight: %s", without->name,
                            percent(check, SHARE_WHOLE - sum));
    else if (missing == 0 && route->variant_count &&
             sum - route->variants[route->baseline].weight <= SHARE_WHOLE)
        hint = arena_format(check->arena, "with weight: %s for `%s` they would",
                            percent(check, SHARE_WHOLE - sum + route->variants[route->baseline].weight),
                            route->variants[route->baseline].name);
    if (missing)
        report_add(check->report, without->place, hint, "variant `%s` of route `%s` has no weight",
                   without->name, route->name);
    else
        report_add(check->report, route->place, hint, "the weights of route `%s` sum to %s, not 100",
                   route->name, percent(check, sum));
}

// ---- parts of a route

static bool host_form(const char *host) {
    if (strncmp(host, "*.", 2) == 0)
        host += 2;
    if (!*host || strlen(host) > 253)
        return false;
    for (; *host; host++)
        if (!isalnum((unsigned char)*host) && !strchr("-._", *host))
            return false;
    return true;
}

static void check_match(struct check *check, const struct route_config *route) {
    const struct match_config *match = &route->match;
    struct place place = route->place;
    if (match->host && !host_form(match->host))
        report_add(check->report, report_place(check->report, match->host, place),
                   "write api.example.com or *.example.com, without a port",
                   "host \"%.200s\" is no host name", match->host);
    if (match->path && match->path[0] != '/')
        report_add(check->report, report_place(check->report, match->path, place), NULL,
                   "path \"%.200s\" must start with /", match->path);
    if (match->path_prefix && match->path_prefix[0] != '/')
        report_add(check->report, report_place(check->report, match->path_prefix, place), NULL,
                   "path_prefix \"%.200s\" must start with /", match->path_prefix);
    if (match->path && match->path_prefix)
        report_add(check->report, place, NULL, "give `path` or `path_prefix`, not both");
    for (size_t i = 0; i < match->methods.count; i++)
        if (!token_valid(match->methods.items[i]))
            report_add(check->report, report_place(check->report, match->methods.items[i], place), NULL,
                       "\"%.100s\" is not a method", match->methods.items[i]);
}

static void check_sticky(struct check *check, struct route_config *route) {
    struct sticky_config *sticky = &route->sticky;
    struct place place = sticky->place.line ? sticky->place : route->place;
    if (sticky->cookie && !token_valid(sticky->cookie))
        report_add(check->report, report_place(check->report, sticky->cookie, place), NULL,
                   "\"%.100s\" is not the name of a cookie", sticky->cookie);
    if (sticky->mode == STICKY_SESSION && !sticky->cookie)
        report_add(check->report, place, "add `cookie: sluice_unit`",
                   "`mode: session` keeps the variant in a cookie and needs `cookie`");
    if (sticky->salt)
        return;
    const char *version = NULL;
    for (size_t i = 0; i < route->variant_count; i++) {
        if (i != route->baseline) { // the first candidate's
            version = route->variants[i].version;
            break;
        }
    }
    sticky->salt = version ? arena_format(check->arena, "%s-%s", route->name, version) : route->name;
}

static void read_token(struct check *check, struct override_config *override) {
    char token[1024];
    int fd = open(override->token_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, token, sizeof token - 1);
    if (n < 0) {
        report_add(check->report, override->place, NULL, "cannot read token_file %s: %s",
                   override->token_file, strerror(errno));
    } else {
        token[n] = 0;
        token[strcspn(token, "\r\n")] = 0;
        override->token = arena_string(check->arena, slice_of(token));
        if (!*token)
            report_add(check->report, override->place, NULL, "token_file %s is empty", override->token_file);
    }
    if (fd >= 0)
        close(fd);
}

static void check_edits(struct check *check, const struct variant_config *variant) {
    static const char *const framing[] = {
        "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Expect", "TE", "Trailer"};
    if (!variant->request)
        return;
    for (size_t i = 0; i < variant->request->set_headers.count; i++)
        for (size_t k = 0; k < sizeof framing / sizeof *framing; k++)
            if (strcasecmp(variant->request->set_headers.items[i].name, framing[k]) == 0)
                report_add(check->report, variant->place, NULL,
                           "variant `%s` must not set `%s`: it frames the message", variant->name,
                           framing[k]);
    for (size_t i = 0; i < variant->request->remove_headers.count; i++)
        if (!token_valid(variant->request->remove_headers.items[i]))
            report_add(check->report,
                       report_place(check->report, variant->request->remove_headers.items[i], variant->place),
                       NULL, "\"%.100s\" is not a header name", variant->request->remove_headers.items[i]);
}

static void check_variants(struct check *check, struct route_config *route, const struct named *pools) {
    if (route->variants && route->variant_count == 0)
        report_add(check->report, route->place, NULL, "route `%s` has no variants", route->name);
    if (route->variant_count > VARIANTS_MOST)
        report_add(check->report, route->place, NULL, "route `%s` has %zu variants; at most %d are possible",
                   route->name, route->variant_count, VARIANTS_MOST);
    for (size_t i = 0; i < route->variant_count; i++) {
        struct variant_config *variant = &route->variants[i];
        const struct named *found =
            variant->pool ? find(pools, check->config->pool_count, variant->pool) : NULL;
        if (found)
            variant->pool_index = found->index;
        else if (variant->pool)
            unknown_pool(check, variant);
        check_edits(check, variant);
    }
}

static void check_route(struct check *check, struct route_config *route, const struct named *pools) {
    if (!route->name)
        route->name = "?"; // said already
    check_variants(check, route, pools);
    if (route->rollout)
        check_rollout(check, route);
    check_weights(check, route);
    check_match(check, route);
    check_sticky(check, route);
    if (route->override) {
        if (!token_valid(route->override->header))
            report_add(check->report,
                       report_place(check->report, route->override->header, route->override->place), NULL,
                       "\"%.100s\" is not a header name", route->override->header);
        if (route->override->token_file)
            read_token(check, route->override);
    }
    if (route->fallback)
        route->fallback_index = check_variant(check, route, route->place, "fallback", route->fallback);
    if (route->mirror && route->mirror->variant)
        check_variant(check, route, route->mirror->place, "mirror.variant", route->mirror->variant);
}

// ---- all of them

static bool matches_everything(const struct match_config *match) {
    return !match->host && !match->path && (!match->path_prefix || strcmp(match->path_prefix, "/") == 0) &&
           !match->methods.count && !match->headers.count && !match->json.count;
}

static void check_reachable(struct check *check) {
    struct config *config = check->config;
    for (size_t i = 0; i + 1 < config->route_count; i++) {
        if (!matches_everything(&config->routes[i].match))
            continue;
        report_add(check->report, config->routes[i + 1].place, "put the route without conditions last",
                   "route `%s` is never reached: `%s` in line %u matches every request",
                   config->routes[i + 1].name, config->routes[i].name, config->routes[i].place.line);
        return;
    }
}

static void check_route_names(struct check *check) {
    struct config *config = check->config;
    struct named *names = mem_alloc((config->route_count + 1) * sizeof *names);
    for (size_t i = 0; i < config->route_count; i++)
        names[i] = (struct named){config->routes[i].name, config->routes[i].place, i};
    qsort(names, config->route_count, sizeof *names, by_name);
    for (size_t i = 1; i < config->route_count; i++)
        if (strcmp(names[i - 1].name, names[i].name) == 0 && strcmp(names[i].name, "?") != 0)
            report_add(check->report, report_place(check->report, names[i].name, names[i].place), NULL,
                       "route `%s` exists already, in line %u", names[i].name, names[i - 1].place.line);
    mem_free(names);
}

void check_routes(struct check *check) {
    struct config *config = check->config;
    struct named *pools = mem_alloc((config->pool_count + 1) * sizeof *pools);
    for (size_t i = 0; i < config->pool_count; i++)
        pools[i] = (struct named){config->pools[i].name, config->pools[i].place, i};
    qsort(pools, config->pool_count, sizeof *pools, by_name);
    for (size_t i = 0; i < config->route_count; i++)
        check_route(check, &config->routes[i], pools);
    mem_free(pools);
    check_route_names(check);
    check_reachable(check);
}

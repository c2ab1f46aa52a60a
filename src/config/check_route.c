// Routes: names, conditions, references, and what follows from them (salt, indices).
#include "base/mem.h"
#include "check.h"
#include "config/rollout.h"
#include "value.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// ---- conditions

static bool host_form(const char *host) {
    return host_valid(strncmp(host, "*.", 2) == 0 ? host + 2 : host);
}

static void check_path(struct check *check, const char *const *field, const char *key) {
    if (*field && ((*field)[0] != '/' || strpbrk(*field, "?# \t\r\n")))
        report_add(check->report, place_of_field(check, field, (struct place){0}), "queries are not matched",
                   "`%s: %.200s` must start with / and hold no `?`, `#` or white space", key, *field);
}

static void check_method(struct check *check, const char *const *field) {
    must(*field);
    struct place place = place_of_field(check, field, (struct place){0});
    char *capital = arena_string(check->arena, slice_of(*field));
    for (char *c = capital; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    if (!token_valid(*field))
        report_add(check->report, place, NULL, "\"%.100s\" is not a method", *field);
    else if (strcmp(*field, capital) != 0)
        report_add(check->report, place, arena_format(check->arena, "write %s", capital),
                   "methods are in capitals: \"%.100s\" would never match", *field);
}

static void check_match(struct check *check, const struct match_config *match) {
    if (match->host && !host_form(match->host))
        report_add(check->report, place_of_field(check, &match->host, match->place),
                   "write api.example.com or *.example.com, without a port",
                   "host \"%.200s\" is no host name", match->host);
    check_path(check, &match->path, "path");
    check_path(check, &match->path_prefix, "path_prefix");
    if (match->path && match->path_prefix)
        report_add(check->report, place_of_field(check, &match->path_prefix, match->place), NULL,
                   "give `path` or `path_prefix`, not both");
    for (size_t i = 0; i < match->methods.count; i++)
        check_method(check, &match->methods.items[i]);
}

// ---- the rest of a route

static void check_sticky(struct check *check, struct route_config *route) {
    struct sticky_config *sticky = &route->sticky;
    if (sticky->cookie && !token_valid(sticky->cookie))
        report_add(check->report, place_of_field(check, &sticky->cookie, sticky->place), NULL,
                   "\"%.100s\" is not the name of a cookie", sticky->cookie);
    if (sticky->mode == STICKY_SESSION && !sticky->cookie && !report_given(check->report, &sticky->cookie))
        report_add(check->report, place_of_field(check, &sticky->mode, sticky->place),
                   "add `cookie: sluice_unit`",
                   "`mode: session` keeps the variant in a cookie and needs `cookie`");
    if (route->experiment)
        check_experiment(check, route);
    if (sticky->salt)
        return;
    size_t candidate = route->rollout ? route->rollout->candidate_index : route->baseline == 0;
    const char *version = candidate < route->variant_count ? route->variants[candidate].version : NULL;
    sticky->salt = version ? arena_format(check->arena, "%s-%s", route->name, version) : route->name;
}

static void check_override(struct check *check, struct override_config *override) {
    if (!token_valid(override->header))
        report_add(check->report, place_of_field(check, &override->header, override->place), NULL,
                   "\"%.100s\" is not a header name", override->header);
    if (override->token_file)
        override->token = check_secret_file(check, &override->token_file, "token_file", override->place);
}

static void check_route(struct check *check, struct route_config *route, const struct named *pools) {
    if (report_refused(check->report, route)) // no mapping at all
        return;
    if (route->rollout)
        check_rollout(check, route);
    check_variants(check, route, pools);
    check_match(check, &route->match);
    check_sticky(check, route);
    if (route->override)
        check_override(check, route->override);
    if (route->fallback)
        route->fallback_index = check_variant(check, route, &route->fallback, "fallback");
    if (route->mirror && route->mirror->variant)
        route->mirror->index = check_variant(check, route, &route->mirror->variant, "mirror.variant");
}

// ---- all of them

// Conditions that were refused are conditions too. (`match` as a whole and its first key have one address.)
static bool matches_everything(struct check *check, const struct route_config *route) {
    const struct match_config *match = &route->match;
    const void *const fields[] = {&match->host,    &match->path, &match->methods,
                                  &match->headers, &match->json, &match->path_prefix};
    bool anything = !match->host && !match->path &&
                    (!match->path_prefix || strcmp(match->path_prefix, "/") == 0) && !match->methods.count &&
                    !match->headers.count && !match->json.count;
    if (!anything || report_refused(check->report, route) || report_refused(check->report, match))
        return false;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (report_refused(check->report, fields[i]))
            return false;
    return true;
}

static void check_reachable(struct check *check) {
    struct config *config = check->config;
    for (size_t i = 0; i + 1 < config->route_count; i++) {
        struct route_config *all = &config->routes[i], *next = &config->routes[i + 1];
        if (!matches_everything(check, all))
            continue;
        report_add(check->report, next->place, "put the route without conditions last",
                   "%s is never reached: %s in line %u matches every request", route_label(check, next),
                   all->name ? route_label(check, all) : "the route", all->place.line);
        return;
    }
}

static void check_route_names(struct check *check) {
    struct config *config = check->config;
    struct named *names = mem_alloc((config->route_count + 1) * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < config->route_count; i++)
        if (config->routes[i].name)
            names[count++] = (struct named){config->routes[i].name, config->routes[i].place, i};
    names_sort(names, count);
    for (size_t i = names_repeat(names, count, 1); i < count; i = names_repeat(names, count, i + 1))
        report_add(check->report, place_of_field(check, &config->routes[names[i].index].name, names[i].place),
                   NULL, "route `%s` exists already, in line %u", names[i].name, names[i - 1].place.line);
    mem_free(names);
}

void check_routes(struct check *check) {
    struct config *config = check->config;
    struct named *pools = mem_alloc((config->pool_count + 1) * sizeof *pools);
    for (size_t i = 0; i < config->pool_count; i++)
        pools[i] = (struct named){config->pools[i].name, config->pools[i].place, i};
    names_sort(pools, config->pool_count);
    for (size_t i = 0; i < config->route_count; i++)
        check_route(check, &config->routes[i], pools);
    mem_free(pools);
    check_route_names(check);
    check_experiments(check);
    check_reachable(check);
}

#include "check.h"
#include "base/mem.h"
#include "base/redact.h"
#include "value.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

// ---- addresses

static bool numeric_host(const char *host) {
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static bool address_form(struct check *check, const char *address) {
    if (strncmp(address, "unix:", 5) == 0)
        return address[5] == '/' && strlen(address + 5) <= UNIX_PATH_MOST;
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (!colon || !value_integer(colon + 1, &port) || port < 0 || port > 65535)
        return false;
    struct slice host = slice_make(address, (size_t)(colon - address));
    bool bracket = host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (bracket)
        host = slice_make(host.at + 1, host.len - 2);
    const char *text = arena_string(check->arena, host);
    return numeric_host(text) && bracket == (strchr(text, ':') != NULL);
}

static void check_address(struct check *check, const char *const *field) {
    if (*field && !address_form(check, *field))
        report_add(check->report, place_of_field(check, field, (struct place){0}),
                   "write 0.0.0.0:8080, [::]:8080 or unix:/path", "\"%.200s\" is not an address to listen on",
                   *field);
}

static void check_listeners(struct check *check) {
    struct config *config = check->config;
    struct named *names = mem_alloc((config->listener_count + 1) * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener_config *listener = &config->listeners[i];
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
        if (!listener->address)
            continue;
        check_address(check, &listener->address);
        if (listener->tls)
            check_listener_tls(check, listener->tls);
        if (strncmp(listener->address, "unix:", 5) != 0 && report_given(check->report, &listener->mode))
            report_add(check->report, place_of_field(check, &listener->mode, listener->place), NULL,
                       "`mode` is for unix sockets only");
        names[count++] = (struct named){listener->address, listener->place, i};
        if (strcmp(listener->address, config->admin.address) == 0)
            report_add(check->report, place_of_field(check, &listener->address, listener->place), NULL,
                       "address %.200s is the admin address", listener->address);
    }
    names_sort(names, count);
    for (size_t i = names_repeat(names, count, 1); i < count; i = names_repeat(names, count, i + 1))
        report_add(check->report,
                   place_of_field(check, &config->listeners[names[i].index].address, names[i].place), NULL,
                   "address %.200s is listened on already, in line %u", names[i].name,
                   names[i - 1].place.line);
    mem_free(names);
}

// ---- resolver

// "10.0.0.53:53", "[::1]:53"; the port may be left out.
static bool server_form(struct check *check, const char *server) {
    if (numeric_host(server))
        return true;
    const char *colon = strrchr(server, ':');
    return strncmp(server, "unix:", 5) != 0 && address_form(check, server) && strcmp(colon, ":0") != 0;
}

static void check_resolver(struct check *check) {
    const struct string_list *servers = &check->config->resolver.servers;
    for (size_t i = 0; i < servers->count; i++)
        if (!server_form(check, servers->items[i]))
            report_add(check->report, place_of_field(check, &servers->items[i], (struct place){0}),
                       "write 10.0.0.53:53 or [2001:db8::53]:53",
                       "\"%.200s\" is not the address of a DNS server", servers->items[i]);
}

// ---- pools

// http://a and http://A:80 are one endpoint.
static void check_duplicate_endpoints(struct check *check, const struct pool_config *pool) {
    struct named *names = mem_alloc((pool->endpoint_count + 1) * sizeof *names);
    struct arena scratch;
    size_t count = 0;
    arena_init(&scratch, 16384);
    for (size_t i = 0; i < pool->endpoint_count; i++) {
        const struct endpoint_config *endpoint = &pool->endpoints[i];
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a list that is NULL has no items
        if (!endpoint->url) // reported already
            continue;
        char *name = endpoint->unix_path
                         ? arena_string(&scratch, slice_of(endpoint->url))
                         : arena_format(&scratch, "%s:%u:%d", endpoint->host, endpoint->port, endpoint->tls);
        names[count++] = (struct named){name, endpoint->place, i};
        for (; *name && !endpoint->unix_path; name++)
            *name = (char)tolower((unsigned char)*name);
    }
    names_sort(names, count);
    for (size_t i = names_repeat(names, count, 1); i < count; i = names_repeat(names, count, i + 1))
        report_add(check->report, names[i].place, NULL,
                   "endpoint %.200s is in pool `%.64s` already, in line %u",
                   pool->endpoints[names[i].index].url, pool->name, names[i - 1].place.line);
    arena_free(&scratch);
    mem_free(names);
}

void check_probe(struct check *check, const struct probe_request_config *request,
                 struct probe_expect_config *expect) {
    struct place none = {0};
    if (!token_valid(request->method))
        report_add(check->report, place_of_field(check, &request->method, none), NULL,
                   "\"%.100s\" is not a method", request->method);
    if (request->path[0] != '/' || strpbrk(request->path, " \t\r\n"))
        report_add(check->report, place_of_field(check, &request->path, none), NULL,
                   "path \"%.200s\" must start with / and hold no white space", request->path);
    if (report_given(check->report, &expect->status) && expect->status_count == 0 &&
        !report_refused(check->report, &expect->status))
        report_add(check->report, place_of_field(check, &expect->status, none), NULL,
                   "`status` is empty: no answer would do");
    if (expect->status_count == 0) {
        expect->status = arena_zero(check->arena, 1, sizeof *expect->status);
        expect->status[0] = 200;
        expect->status_count = 1;
    }
}

// A limit that comes after the check's end is none.
static void check_health(struct check *check, struct health_config *health) {
    struct probe_expect_config *expect = &health->expect;
    check_probe(check, &health->request, expect);
    if (expect->latency >= health->timeout && !report_refused(check->report, &expect->latency) &&
        !report_refused(check->report, &health->timeout))
        report_add(check->report, place_of_field(check, &expect->latency, health->place),
                   "raise `timeout` or lower `latency`",
                   "`latency: %lldms` is never looked at: the check's `timeout` of %lldms comes first",
                   (long long)expect->latency, (long long)health->timeout);
}

void check_url(struct check *check, const char *const *field, const char *key) {
    struct strbuf shown = {0};
    if (!*field || url_valid(*field))
        return;
    redact_url(slice_of(*field), &shown);
    report_add(check->report, place_of_field(check, field, (struct place){0}), NULL,
               "`%s: %.200s` is not an http:// or https:// URL", key, strbuf_text(&shown));
    strbuf_free(&shown);
}

static void check_tracing(struct check *check) {
    const struct tracing_config *tracing = check->config->tracing;
    if (!tracing)
        return;
    check_url(check, &tracing->url, "url");
    if (tracing->tls)
        check_pool_tls(check, tracing->tls);
}

static void check_pools(struct check *check) {
    struct config *config = check->config;
    for (size_t i = 0; i < config->pool_count; i++) {
        struct pool_config *pool = &config->pools[i];
        if (pool->endpoints && pool->endpoint_count == 0)
            report_add(check->report, place_of_field(check, &pool->endpoints, pool->place), NULL,
                       "pool `%.64s` has no endpoints", pool->name);
        check_duplicate_endpoints(check, pool);
        if (pool->tls)
            check_pool_tls(check, pool->tls);
        if (pool->health)
            check_health(check, pool->health);
    }
}

void check_file(struct check *check) {
    struct config *config = check->config;
    struct place none = {0};
    if (config->listeners && config->listener_count == 0)
        report_add(check->report, place_of_field(check, &config->listeners, none), NULL,
                   "`listeners` is empty: nothing would be served");
    if (config->routes && config->route_count == 0)
        report_add(check->report, place_of_field(check, &config->routes, none), NULL,
                   "`routes` is empty: nothing would be served");
    check_address(check, &config->admin.address);
    if (address_form(check, config->admin.address))
        check_admin(check);
    check_listeners(check);
    config->user_place = place_of_field(check, &config->user, none);
    check_resolver(check);
    check_tracing(check);
    check_fleet(check);
    check_pools(check);
    check_routes(check);
}

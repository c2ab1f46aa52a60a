#include "check.h"
#include "base/mem.h"
#include "value.h"
#include <arpa/inet.h>
#include <stdlib.h>

// ---- addresses

static bool numeric_host(const char *host) {
    struct in6_addr any;
    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static bool address_form(struct check *check, const char *address) {
    if (strncmp(address, "unix:", 5) == 0)
        return address[5] == '/' && strlen(address) < 5 + 108;
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

static void check_address(struct check *check, struct place place, const char *address) {
    if (address && !address_form(check, address))
        report_add(check->report, report_place(check->report, address, place),
                   "write 0.0.0.0:8080, [::]:8080 or unix:/path", "\"%.200s\" is not an address to listen on",
                   address);
}

static void check_listeners(struct check *check) {
    struct config *config = check->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        struct listener_config *listener = &config->listeners[i];
        check_address(check, listener->place, listener->address);
        for (size_t k = 0; k < i; k++)
            if (listener->address && config->listeners[k].address &&
                strcmp(config->listeners[k].address, listener->address) == 0)
                report_add(check->report, report_place(check->report, listener->address, listener->place),
                           NULL, "address %s is listened on already, in line %u", listener->address,
                           config->listeners[k].place.line);
        if (listener->address && config->admin.address &&
            strcmp(listener->address, config->admin.address) == 0)
            report_add(check->report, report_place(check->report, listener->address, listener->place), NULL,
                       "address %s is the admin address", listener->address);
    }
}

// ---- pools

static int by_url(const void *left, const void *right) {
    const struct endpoint_config *a = *(struct endpoint_config *const *)left,
                                 *b = *(struct endpoint_config *const *)right;
    int order = strcmp(a->url, b->url);
    return order ? order : (a > b) - (a < b);
}

static void check_duplicate_endpoints(struct check *check, const struct pool_config *pool) {
    const struct endpoint_config **sorted = mem_alloc((pool->endpoint_count + 1) * sizeof *sorted);
    size_t count = 0;
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (pool->endpoints[i].url)
            sorted[count++] = &pool->endpoints[i];
    qsort(sorted, count, sizeof *sorted, by_url);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->url, sorted[i]->url) == 0)
            report_add(check->report, sorted[i]->place, NULL,
                       "endpoint %s is in pool `%s` already, in line %u", sorted[i]->url, pool->name,
                       sorted[i - 1]->place.line);
    mem_free(sorted);
}

static void check_probe(struct check *check, struct place place, const struct probe_request_config *request,
                        struct probe_expect_config *expect) {
    if (!token_valid(request->method))
        report_add(check->report, report_place(check->report, request->method, place), NULL,
                   "\"%.100s\" is not a method", request->method);
    if (request->path[0] != '/' || strpbrk(request->path, " \t\r\n"))
        report_add(check->report, report_place(check->report, request->path, place), NULL,
                   "path \"%.200s\" must start with / and hold no white space", request->path);
    if (expect->status_count == 0) {
        expect->status = arena_zero(check->arena, 1, sizeof *expect->status);
        expect->status[0] = 200;
        expect->status_count = 1;
    }
}

static void check_pools(struct check *check) {
    struct config *config = check->config;
    for (size_t i = 0; i < config->pool_count; i++) {
        struct pool_config *pool = &config->pools[i];
        if (pool->endpoints && pool->endpoint_count == 0)
            report_add(check->report, pool->place, NULL, "pool `%s` has no endpoints", pool->name);
        check_duplicate_endpoints(check, pool);
        if (pool->health)
            check_probe(check, pool->health->place, &pool->health->request, &pool->health->expect);
    }
}

void check_file(struct check *check) {
    struct config *config = check->config;
    if (config->listeners && config->listener_count == 0)
        report_add(check->report, (struct place){0}, NULL, "`listeners` is empty: nothing would be served");
    if (config->routes && config->route_count == 0)
        report_add(check->report, (struct place){0}, NULL, "`routes` is empty: nothing would be served");
    check_address(check, config->admin.place, config->admin.address);
    check_listeners(check);
    check_pools(check);
    check_routes(check);
}

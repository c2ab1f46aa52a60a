#include "base/random.h"
#include "request.h"
#include "traffic/match.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE NO_ROUTE
#define STRINGS(...) \
    { (const char *[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) }

static size_t route_and_need(const struct match_config *matches, const struct sticky_config *sticky,
                             size_t count, const char *lines, const char *body, bool *needs_body) {
    struct route_config *routes = calloc(count, sizeof *routes);
    for (size_t i = 0; i < count; i++) {
        routes[i].match = matches[i];
        if (sticky)
            routes[i].sticky = *sticky;
    }
    struct config config = {.routes = routes, .route_count = count};
    struct matcher *matcher = matcher_new(&config);
    struct request request;
    request_open(&request, lines, body);
    size_t route = matcher_route(matcher, &request.view, needs_body);
    request_close(&request);
    matcher_free(matcher);
    free(routes);
    return route;
}

static size_t route_of(const struct match_config *matches, size_t count, const char *lines) {
    bool needs_body;
    size_t route = route_and_need(matches, NULL, count, lines, NULL, &needs_body);
    assert_false(needs_body);
    return route;
}

static size_t route_of_host(const char *configured, const char *sent) {
    char lines[512];
    snprintf(lines, sizeof lines, "GET / HTTP/1.1\nHost: %s", sent);
    return route_of(&(struct match_config){.host = configured}, 1, lines);
}

static void hosts(void **state) {
    (void)state;
    const struct {
        const char *configured, *sent;
        size_t route;
    } cases[] = {
        {"api.example.com", "api.example.com", 0},
        {"api.example.com", "API.Example.COM", 0},
        {"API.example.com", "api.example.com", 0},
        {"api.example.com", "api.example.com:8443", 0},
        {"api.example.com:80", "api.example.com", 0},
        {"api.example.com", "api.example.com.", 0},
        {"api.example.com", "xapi.example.com", NONE},
        {"api.example.com", "example.com", NONE},
        {"*.example.com", "a.example.com", 0},
        {"*.example.com", "a.b.c.example.com:80", 0},
        {"*.Example.com", "A.EXAMPLE.com", 0},
        {"*.example.com", "example.com", NONE},
        {"*.example.com", "aexample.com", NONE},
        {"*.example.com", "a.example.com.evil.org", NONE},
        {"[::1]", "[::1]:8080", 0},
        {"127.0.0.1", "127.0.0.1:8080", 0},
        {NULL, "anything", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (route_of_host(cases[i].configured, cases[i].sent) != cases[i].route)
            fail_msg("%s for %s", cases[i].configured ? cases[i].configured : "-", cases[i].sent);
    // A request without a host (HTTP/1.0) matches routes without one only.
    assert_int_equal(route_of(&(struct match_config){.host = "a"}, 1, "GET / HTTP/1.0"), NONE);
    assert_int_equal(route_of(&(struct match_config){0}, 1, "GET / HTTP/1.0"), 0);
}

static size_t route_of_path(struct match_config match, const char *target) {
    char lines[512];
    snprintf(lines, sizeof lines, "GET %s HTTP/1.1\nHost: h", target);
    return route_of(&match, 1, lines);
}

static void paths(void **state) {
    (void)state;
    const struct {
        const char *path, *prefix, *target;
        size_t route;
    } cases[] = {
        {"/v1/chat", NULL, "/v1/chat", 0},
        {"/v1/chat", NULL, "/v1/chat?x=/v1", 0},
        {"/v1/chat", NULL, "/v1/chat/", NONE},
        {"/v1/chat", NULL, "/v1/cha", NONE},
        {"/v1/chat", NULL, "/v1/./x/../chat", 0},
        {"/v1/chat", NULL, "/v1/%63hat", 0},
        {"/v1/%63hat", NULL, "/v1/chat", 0},
        {"/v1/chat", NULL, "/v1%2Fchat", NONE},
        {NULL, "/v1/", "/v1/", 0},
        {NULL, "/v1/", "/v1/chat/completions", 0},
        {NULL, "/v1/", "/v1", NONE},
        {NULL, "/v1", "/v10", 0}, // plain prefix: segments mean nothing
        {NULL, "/v1/", "/v2/../v1/x", 0},
        {NULL, "/v1/", "/v1/../v2/x", NONE},
        {NULL, "/v1/", "/V1/x", NONE},
        {NULL, "/.", "/.env", 0},
        {NULL, "/.", "/env", NONE},
        {NULL, "/", "/any", 0},
        {NULL, "", "/any", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct match_config match = {.path = cases[i].path, .path_prefix = cases[i].prefix};
        if (route_of_path(match, cases[i].target) != cases[i].route)
            fail_msg("case %zu: %s", i, cases[i].target);
    }
}

static void methods_and_headers(void **state) {
    (void)state;
    struct header_config gold[] = {{"X-Tier", "gold"}}, present[] = {{"x-tier", ""}};
    struct header_config both[] = {{"X-Tier", "gold"}, {"X-Debug", ""}};
    struct match_config post = {.methods = STRINGS("POST", "PUT")}, value = {.headers = {gold, 1}},
                        any = {.headers = {present, 1}}, two = {.headers = {both, 2}};
    assert_int_equal(route_of(&post, 1, "POST / HTTP/1.1\nHost: h"), 0);
    assert_int_equal(route_of(&post, 1, "PUT / HTTP/1.1\nHost: h"), 0);
    assert_int_equal(route_of(&post, 1, "GET / HTTP/1.1\nHost: h"), NONE);
    assert_int_equal(route_of(&value, 1, "GET / HTTP/1.1\nHost: h\nx-tier: gold"), 0);
    assert_int_equal(route_of(&value, 1, "GET / HTTP/1.1\nHost: h\nx-tier: Gold"), NONE);
    assert_int_equal(route_of(&value, 1, "GET / HTTP/1.1\nHost: h\nx-tier: tin\nX-Tier: gold"), 0);
    assert_int_equal(route_of(&value, 1, "GET / HTTP/1.1\nHost: h"), NONE);
    assert_int_equal(route_of(&any, 1, "GET / HTTP/1.1\nHost: h\nX-TIER: tin"), 0);
    assert_int_equal(route_of(&any, 1, "GET / HTTP/1.1\nHost: h\nX-Tier:"), 0);
    assert_int_equal(route_of(&any, 1, "GET / HTTP/1.1\nHost: h\nX-Tie: r"), NONE);
    assert_int_equal(route_of(&two, 1, "GET / HTTP/1.1\nHost: h\nX-Tier: gold"), NONE);
    assert_int_equal(route_of(&two, 1, "GET / HTTP/1.1\nHost: h\nX-Tier: gold\nX-Debug: 1"), 0);
}

// The index has lists by host and path; the file's order decides between them, not how special a rule is.
static void first_match_wins(void **state) {
    (void)state;
    const struct match_config matches[] = {
        {.path = "/health"},
        {.host = "*.example.com", .path_prefix = "/v1/"},
        {.host = "api.example.com", .path = "/v1/chat"},
        {.host = "api.example.com", .methods = STRINGS("POST")},
        {.path_prefix = "/v"},
        {.host = "api.example.com"},
        {.path_prefix = "/v1/"},
        {0},
    };
    const struct {
        const char *lines;
        size_t route;
    } cases[] = {
        {"GET /health HTTP/1.1\nHost: api.example.com", 0},
        {"GET /v1/chat HTTP/1.1\nHost: api.example.com", 1},
        {"POST /v2 HTTP/1.1\nHost: api.example.com", 3},
        {"GET /v2 HTTP/1.1\nHost: api.example.com", 4},
        {"GET /x HTTP/1.1\nHost: api.example.com", 5},
        {"GET /v1/chat HTTP/1.1\nHost: other", 4},
        {"GET /x HTTP/1.1\nHost: other", 7},
        {"OPTIONS * HTTP/1.1\nHost: other", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(route_of(matches, sizeof matches / sizeof *matches, cases[i].lines), cases[i].route);
    assert_int_equal(route_of(matches, 0, cases[0].lines), NONE);
}

static void body_is_asked_for(void **state) {
    (void)state;
    struct pointer_config wanted[] = {{"/model", "\"gpt-4o\""}, {"/stream", "true"}};
    const struct match_config matches[] = {
        {.path = "/first"},
        {.path_prefix = "/v1/", .methods = STRINGS("POST"), .json = {wanted, 2}},
        {.path_prefix = "/v1/"},
    };
    const char post[] = "POST /v1/chat HTTP/1.1\nHost: h";
    bool needs;
    assert_int_equal(route_and_need(matches, NULL, 3, post, NULL, &needs), NONE);
    assert_true(needs);
    // Not asked for where the route with the condition cannot match, or another one matches before.
    assert_int_equal(route_and_need(matches, NULL, 3, "GET /v1/chat HTTP/1.1\nHost: h", NULL, &needs), 2);
    assert_false(needs);
    assert_int_equal(route_and_need(matches, NULL, 3, "POST /first HTTP/1.1\nHost: h", NULL, &needs), 0);
    assert_false(needs);
    assert_int_equal(route_and_need(matches, NULL, 3, "POST /v2 HTTP/1.1\nHost: h", NULL, &needs), NONE);
    assert_false(needs);
    const struct {
        const char *body;
        size_t route;
    } cases[] = {
        {"{\"model\":\"gpt-4o\",\"stream\":true}", 1},
        {"{\"model\":\"gpt-4o\"}", 2},
        {"{\"model\":\"gpt-4\",\"stream\":true}", 2},
        {"not json", 2},
        {"", 2}, // too large, or none
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(route_and_need(matches, NULL, 3, post, cases[i].body, &needs), cases[i].route);
        assert_false(needs);
    }
    // The only route: nothing matches without the body.
    assert_int_equal(route_and_need(matches + 1, NULL, 1, post, NULL, &needs), NONE);
    assert_true(needs);
}

static void body_is_asked_for_by_the_unit(void **state) {
    (void)state;
    struct sticky_source by[] = {{UNIT_HEADER, "X-User"}, {UNIT_JSON, "/user"}, {UNIT_CLIENT_IP, NULL}};
    struct sticky_config sticky = {.by = by, .by_count = 3, .salt = "s"};
    const struct match_config any = {0};
    bool needs;
    assert_int_equal(route_and_need(&any, &sticky, 1, "POST / HTTP/1.1\nHost: h", NULL, &needs), 0);
    assert_true(needs);
    route_and_need(&any, &sticky, 1, "POST / HTTP/1.1\nHost: h\nX-User: u", NULL, &needs);
    assert_false(needs); // the header comes first
    route_and_need(&any, &sticky, 1, "POST / HTTP/1.1\nHost: h", "{}", &needs);
    assert_false(needs); // it was given
}

static void body_is_asked_for_by_the_task(void **state) {
    (void)state;
    static const struct {
        const char *body;
        size_t places;
        bool needs;
    } cases[] = {
        {NULL, 0, false},
        {NULL, 2, false}, // the path and a header tell
        {NULL, 3, true},
        {"{}", 3, false}, // it was given
    };
    struct task_place use[] = {{TASK_PATH_SEGMENT, NULL}, {TASK_HEADER, "X-Task"}, {TASK_JSON, "/id"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct affinity_config affinity = {.use = use, .use_count = cases[i].places};
        struct route_config route = {.affinity = &affinity};
        struct config config = {.routes = &route, .route_count = 1};
        struct matcher *matcher = matcher_new(&config);
        struct request request;
        bool needs;
        request_open(&request, "POST /tasks/7 HTTP/1.1\nHost: h", cases[i].body);
        assert_int_equal(matcher_route(matcher, &request.view, &needs), 0);
        assert_int_equal(needs, cases[i].needs);
        request_close(&request);
        matcher_free(matcher);
    }
}

// Two routes might match if the body said so: it is asked for once, and the first of them that does wins.
static void several_wait_for_the_body(void **state) {
    (void)state;
    struct pointer_config small[] = {{"/model", "\"small\""}}, any[] = {{"/stream", "true"}};
    const struct match_config matches[] = {{.host = "h", .json = {any, 1}}, {.json = {small, 1}}, {0}};
    const char post[] = "POST / HTTP/1.1\nHost: h";
    bool needs;
    assert_int_equal(route_and_need(matches, NULL, 3, post, NULL, &needs), NONE);
    assert_true(needs);
    static const struct {
        const char *body;
        size_t route;
    } cases[] = {
        {"{\"model\":\"small\",\"stream\":true}", 0}, {"{\"model\":\"small\"}", 1}, {"{\"stream\":1}", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(route_and_need(matches, NULL, 3, post, cases[i].body, &needs), cases[i].route);
}

// Many random routes against the plain definition: the first in the file's order whose every part holds.
static const char *const host_pool[] = {NULL, "a.test", "b.a.test", "*.test", "*.a.test", "c.test"};
static const char *const path_pool[] = {NULL, "/", "/v1", "/v1/", "/v1/chat", "/v1/chat/x", "/w"};
static const char *const method_pool[] = {"GET", "POST", "PUT"};

static bool host_holds(const char *host, const char *sent) {
    size_t len = strlen(sent);
    if (host && host[0] == '*')
        return len > strlen(host + 1) && strcmp(sent + len - strlen(host + 1), host + 1) == 0;
    return !host || strcmp(host, sent) == 0;
}

static size_t plain_route(const struct route_config *routes, size_t count, const char *host, const char *path,
                          const char *method) {
    for (size_t i = 0; i < count; i++) {
        const struct match_config *match = &routes[i].match;
        if (!host_holds(match->host, host) || (match->path && strcmp(match->path, path) != 0) ||
            (match->path_prefix && strncmp(match->path_prefix, path, strlen(match->path_prefix)) != 0))
            continue;
        if (match->methods.count == 0 || strcmp(match->methods.items[0], method) == 0)
            return i;
    }
    return NONE;
}

static void random_routes_as_defined(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 11);
    struct route_config routes[40];
    for (int round = 0; round < 300; round++) {
        size_t count = 1 + random_below(&random, 40);
        for (size_t i = 0; i < count; i++) {
            routes[i] = (struct route_config){0};
            struct match_config *match = &routes[i].match;
            match->host = host_pool[random_below(&random, 6)];
            const char **path = random_below(&random, 2) ? &match->path : &match->path_prefix;
            *path = path_pool[random_below(&random, 7)];
            if (random_below(&random, 2))
                match->methods =
                    (struct string_list){(const char **)(uintptr_t)&method_pool[random_below(&random, 3)], 1};
        }
        struct config config = {.routes = routes, .route_count = count};
        struct matcher *matcher = matcher_new(&config);
        for (int i = 0; i < 20; i++) {
            static const char *const hosts[] = {"a.test", "b.a.test", "x.b.a.test",
                                                "c.test", "test",     "other"};
            const char *host = hosts[random_below(&random, 6)];
            const char *path = path_pool[1 + random_below(&random, 6)];
            const char *method = method_pool[random_below(&random, 3)];
            char lines[128];
            snprintf(lines, sizeof lines, "%s %s HTTP/1.1\nHost: %s", method, path, host);
            struct request request;
            request_open(&request, lines, NULL);
            bool needs;
            assert_int_equal(matcher_route(matcher, &request.view, &needs),
                             plain_route(routes, count, host, path, method));
            assert_false(needs);
            request_close(&request);
        }
        matcher_free(matcher);
    }
}

// A thousand routes, each found by its own host and path.
static void a_thousand_routes(void **state) {
    (void)state;
    enum { MANY = 1000 };
    struct route_config *routes = calloc(MANY, sizeof *routes);
    static char hosts[MANY][32], paths[MANY][32];
    for (int i = 0; i < MANY; i++) {
        snprintf(hosts[i], sizeof hosts[i], "%sh%d.test", i % 10 ? "" : "*.", i / 2);
        snprintf(paths[i], sizeof paths[i], "/p%d/", i);
        routes[i].match.host = i % 3 ? hosts[i] : NULL;
        routes[i].match.path_prefix = paths[i];
    }
    struct config config = {.routes = routes, .route_count = MANY};
    struct matcher *matcher = matcher_new(&config);
    for (int i = 0; i < MANY; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "GET /p%d/x HTTP/1.1\nHost: %.31s", i,
                 i % 10 ? hosts[i] : hosts[i] + 1);
        if (i % 10 == 0)
            snprintf(lines, sizeof lines, "GET /p%d/x HTTP/1.1\nHost: any%.31s", i, hosts[i] + 1);
        struct request request;
        request_open(&request, lines, NULL);
        bool needs;
        assert_int_equal(matcher_route(matcher, &request.view, &needs), i);
        request_close(&request);
    }
    matcher_free(matcher);
    free(routes);
}

// Names longer than any host has, and paths shorter and longer than every prefix.
static void odd_sizes(void **state) {
    (void)state;
    char lines[2048];
    char host[600];
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    for (size_t i = 40; i < sizeof host - 1; i += 41)
        host[i] = '.';
    snprintf(lines, sizeof lines, "GET / HTTP/1.1\nHost: %s", host);
    const struct match_config matches[] = {{.host = "*.a"}, {.path_prefix = "/longer/than/the/path"}, {0}};
    assert_int_equal(route_of(matches, 3, lines), 2);
}

int test_match(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(paths),
        cmocka_unit_test(methods_and_headers),
        cmocka_unit_test(first_match_wins),
        cmocka_unit_test(body_is_asked_for),
        cmocka_unit_test(body_is_asked_for_by_the_unit),
        cmocka_unit_test(body_is_asked_for_by_the_task),
        cmocka_unit_test(several_wait_for_the_body),
        cmocka_unit_test(random_routes_as_defined),
        cmocka_unit_test(a_thousand_routes),
        cmocka_unit_test(odd_sizes),
    };
    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}

// fetch against the admin server: each is the other's peer.
#include "../../../src/control/admin_server.h"
#include "base/mem.h"
#include "control/fetch.h"
#include "io/listen.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scene {
    struct event_base *base;
    struct admin_server *server;
    struct fetcher *fetcher;
    char url[ADDRESS_TEXT + 8], to[ADDRESS_TEXT];
    char seen[512]; // method, path, body and headers of the last call
    struct call *held;
    unsigned done, most, now;
    struct fetch_answer last; // without its body
    char body[256];
};

static void handle(struct call *call, void *context) {
    struct scene *scene = context;
    const char *query = call_query(call, "q");
    snprintf(scene->seen, sizeof scene->seen, "%d %s %.*s %s %s", call->method, call->path,
             (int)call->body.len, call->body.at, query ? query : "-",
             call->access.authorization ? call->access.authorization : "-");
    if (strcmp(call->path, "/hold") == 0) {
        scene->held = call;
        return;
    }
    if (strcmp(call->path, "/long") == 0)
        for (int i = 0; i < 1000; i++)
            strbuf_literal(&call->out, "0123456789");
    else
        strbuf_string(&call->out, "hello");
    call_answer(call, strcmp(call->path, "/bad") == 0 ? 422 : 200, "text/plain");
}

static void on_done(const struct fetch_answer *answer, void *context) {
    struct scene *scene = context;
    scene->done++;
    scene->last = *answer;
    snprintf(scene->body, sizeof scene->body, "%.*s", (int)answer->body.len,
             answer->body.at ? answer->body.at : "");
}

static int open_scene(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    struct address address;
    struct error error;
    fetch_setup();
    scene->base = event_base_new();
    scene->server = admin_server_new(scene->base, handle, scene);
    assert_true(address_parse(&address, "127.0.0.1:0", &error));
    int fd = listen_open(&address, false, &error);
    assert_true(fd >= 0);
    getsockname(fd, &address.any, &address.len);
    admin_server_listen(scene->server, fd);
    address_text(&address, scene->to);
    snprintf(scene->url, sizeof scene->url, "http://%s", scene->to);
    scene->fetcher = fetcher_new(scene->base, 2);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    fetcher_free(scene->fetcher);
    admin_server_free(scene->server);
    event_base_free(scene->base);
    free(scene);
    return 0;
}

static struct fetch *ask(struct scene *scene, const char *path, struct fetch_request request) {
    static char url[256];
    snprintf(url, sizeof url, "%s%s", scene->url, path);
    request.url = url;
    request.user_agent = "unit";
    request.timeout_ms = request.timeout_ms ? request.timeout_ms : 10000;
    request.most_body = request.most_body ? request.most_body : 1000;
    return fetch_start(scene->fetcher, &request, on_done, scene);
}

static void run_until(struct scene *scene, unsigned done) {
    while (scene->done < done)
        event_base_loop(scene->base, EVLOOP_ONCE);
}

static void method_body_headers_and_query_arrive(void **state) {
    struct scene *scene = *state;
    struct header_config header = {"Content-Type", "application/json"};
    struct header_list headers = {&header, 1};
    ask(scene, "/x/y?q=a%20b%2B",
        (struct fetch_request){
            .method = "POST", .body = SLICE("{\"a\":1}"), .headers = &headers, .bearer = "secret"});
    assert_int_equal(scene->done, 0); // never from inside
    run_until(scene, 1);
    assert_int_equal(scene->last.status, 200);
    assert_string_equal(scene->body, "hello");
    assert_string_equal(scene->last.error, "");
    assert_string_equal(scene->seen, "2 /x/y {\"a\":1} a b+ Bearer secret");
    ask(scene, "/bad", (struct fetch_request){.fresh = true});
    run_until(scene, 2);
    assert_int_equal(scene->last.status, 422);
    ask(scene, "/", (struct fetch_request){.method = "HEAD"});
    run_until(scene, 3);
    assert_int_equal(scene->last.status, 200);
    assert_string_equal(scene->body, "");
}

static void a_long_body_is_cut(void **state) {
    struct scene *scene = *state;
    ask(scene, "/long", (struct fetch_request){.most_body = 25});
    run_until(scene, 1);
    assert_int_equal(scene->last.status, 200);
    assert_true(scene->last.truncated);
    assert_string_equal(scene->last.error, "");
    assert_string_equal(scene->body, "0123456789012345678901234");
}

static void silence_ends_with_a_timeout_and_a_reason(void **state) {
    struct scene *scene = *state;
    ask(scene, "/hold", (struct fetch_request){.timeout_ms = 50});
    run_until(scene, 1);
    assert_int_equal(scene->last.status, 0);
    assert_true(strlen(scene->last.error) > 0);
    call_answer(scene->held, 200, "text/plain"); // too late: the client has gone, nothing breaks
}

static void a_refused_connection_says_so(void **state) {
    struct scene *scene = *state;
    admin_server_silence(scene->server);
    ask(scene, "/", (struct fetch_request){.fresh = true});
    run_until(scene, 1);
    assert_int_equal(scene->last.status, 0);
    assert_true(strlen(scene->last.error) > 0);
}

static void no_more_than_allowed_at_once_and_all_come_to_an_end(void **state) {
    struct scene *scene = *state;
    for (int i = 0; i < 20; i++)
        ask(scene, "/", (struct fetch_request){.fresh = true});
    run_until(scene, 20);
    assert_int_equal(scene->done, 20);
    assert_int_equal(scene->last.status, 200);
}

static void a_cancelled_one_is_not_called_and_makes_room(void **state) {
    struct scene *scene = *state;
    struct fetch *first = ask(scene, "/hold", (struct fetch_request){0});
    struct fetch *second = ask(scene, "/hold", (struct fetch_request){0});
    ask(scene, "/third", (struct fetch_request){0}); // waits: two are the most
    while (!scene->held)
        event_base_loop(scene->base, EVLOOP_ONCE);
    assert_null(strstr(scene->seen, "/third"));
    fetch_cancel(first);
    fetch_cancel(second);
    run_until(scene, 1);
    assert_non_null(strstr(scene->seen, "/third"));
    assert_int_equal(scene->done, 1);
}

static void the_name_in_the_url_can_be_another_address(void **state) {
    struct scene *scene = *state;
    // the first address of the two refuses: nobody listens there
    char resolved[128];
    snprintf(resolved, sizeof resolved, "model.invalid:%s:127.0.0.77,127.0.0.1", strrchr(scene->to, ':') + 1);
    snprintf(scene->url, sizeof scene->url, "http://model.invalid:%s", strrchr(scene->to, ':') + 1);
    ask(scene, "/", (struct fetch_request){.resolved = resolved, .fresh = true});
    run_until(scene, 1);
    assert_int_equal(scene->last.status, 200);
}

int test_fetch(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(method_body_headers_and_query_arrive),
        SCENE(a_long_body_is_cut),
        SCENE(silence_ends_with_a_timeout_and_a_reason),
        SCENE(a_refused_connection_says_so),
        SCENE(no_more_than_allowed_at_once_and_all_come_to_an_end),
        SCENE(a_cancelled_one_is_not_called_and_makes_room),
        SCENE(the_name_in_the_url_can_be_another_address),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}

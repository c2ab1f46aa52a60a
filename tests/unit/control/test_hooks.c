// hooks and update: their bodies word for word (docs/hooks.md shows them), and that they reach the webhook.
#include "../../../src/control/hooks.h"
#include "../../../src/control/update.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

struct scene {
    struct event_base *base;
    struct fetcher *fetcher;
    struct peer peer;
    unsigned done;
    bool accepted;
    char why[400];
};

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    scene->fetcher = fetcher_new(scene->base, 4);
    peer_open(&scene->peer, scene->base);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    fetcher_free(scene->fetcher);
    peer_close(&scene->peer);
    event_base_free(scene->base);
    mem_free(scene);
    return 0;
}

static void on_done(const struct webhook_answer *answer, void *context) {
    struct scene *scene = context;
    scene->done++;
    scene->accepted = answer->accepted;
    snprintf(scene->why, sizeof scene->why, "%s", answer->why);
}

static const struct hook_news news = {
    .route = "chat",
    .decision = 7,
    .step = 2,
    .weight = 2550,
    .from = "step",
    .to = "hook",
    .baseline = "stable",
    .candidate = "canary",
    .version = "v1.1",
    .because = "all guards pass",
    .time_ms = 1795412124123,
};

static void bodies(void **state) {
    (void)state;
    struct strbuf out = {0};
    hook_write(HOOK_BEFORE_STEP, &news, &out);
    assert_string_equal(
        strbuf_text(&out),
        "{\"hook\":\"before_step\",\"route\":\"chat\",\"decision\":7,\"step\":2,\"weight\":25.5,"
        "\"from\":\"step\",\"to\":\"hook\",\"baseline\":\"stable\",\"candidate\":\"canary\","
        "\"version\":\"v1.1\",\"because\":\"all guards pass\","
        "\"time\":\"2026-11-23T05:35:24.123Z\"}");
    strbuf_clear(&out);
    struct hook_news bare = {.route = "r", .weight = -1, .because = "\"quoted\""};
    hook_write(HOOK_ON_ROLLBACK, &bare, &out);
    assert_string_equal(strbuf_text(&out),
                        "{\"hook\":\"on_rollback\",\"route\":\"r\",\"decision\":0,\"step\":0,\"weight\":null,"
                        "\"from\":null,\"to\":null,\"baseline\":null,\"candidate\":null,\"version\":null,"
                        "\"because\":\"\\\"quoted\\\"\",\"time\":\"1970-01-01T00:00:00.000Z\"}");
    strbuf_free(&out);
}

static void urls(void **state) {
    (void)state;
    struct hooks_config hooks = {.before_step = "a", .on_promote = "b", .on_rollback = NULL};
    assert_string_equal(hook_url(&hooks, HOOK_BEFORE_STEP), "a");
    assert_string_equal(hook_url(&hooks, HOOK_ON_PROMOTE), "b");
    assert_null(hook_url(&hooks, HOOK_ON_ROLLBACK));
}

static void before_step_is_asked(void **state) {
    struct scene *scene = *state;
    char want[200];
    struct strbuf body = {0};
    hook_write(HOOK_BEFORE_STEP, &news, &body);
    scene->peer.statuses[0] = 403;
    scene->peer.body = "freeze until Monday";
    hook_ask(scene->fetcher, scene->peer.url, strbuf_as_slice(&body), "unit", 0, on_done, scene);
    peer_run_until(scene->base, &scene->done, 1);
    assert_false(scene->accepted);
    snprintf(want, sizeof want, "before_step at %s answered 403: freeze until Monday", scene->peer.url);
    assert_string_equal(scene->why, want);
    assert_string_equal(scene->peer.calls[0].body, strbuf_text(&body));
    hook_ask(scene->fetcher, scene->peer.url, strbuf_as_slice(&body), "unit", 0, on_done, scene);
    peer_run_until(scene->base, &scene->done, 2);
    assert_true(scene->accepted);
    scene->peer.status = PEER_HOLD;
    hook_ask(scene->fetcher, scene->peer.url, strbuf_as_slice(&body), "unit", 50, on_done, scene);
    peer_run_until(scene->base, &scene->done, 3);
    assert_false(scene->accepted);
    strbuf_free(&body);
}

static void an_update_names_the_endpoint_and_is_asked_once(void **state) {
    struct scene *scene = *state;
    struct update_request request = {.url = scene->peer.url,
                                     .route = "chat",
                                     .pool = "blue",
                                     .endpoint = "http://10.0.0.1:8000",
                                     .version = "v1.1",
                                     .user_agent = "unit"};
    update_start(scene->fetcher, &request, on_done, scene);
    peer_run_until(scene->base, &scene->done, 1);
    assert_true(scene->accepted);
    assert_string_equal(scene->peer.calls[0].method, "POST");
    assert_string_equal(
        scene->peer.calls[0].body,
        "{\"route\":\"chat\",\"pool\":\"blue\",\"endpoint\":\"http://10.0.0.1:8000\",\"version\":\"v1.1\"}");
    scene->peer.status = 500;
    scene->peer.body = "no disk left on 10.0.0.1";
    request.version = NULL;
    update_start(scene->fetcher, &request, on_done, scene);
    peer_run_until(scene->base, &scene->done, 2);
    assert_false(scene->accepted);
    assert_non_null(strstr(scene->why, "answered 500: no disk left on 10.0.0.1"));
    assert_non_null(strstr(scene->peer.calls[1].body, "\"version\":null"));
    peer_run_for(scene->base, 20);
    assert_int_equal(scene->peer.count, 2);
}

int test_hooks(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(urls),
        SCENE(before_step_is_asked),
        SCENE(an_update_names_the_endpoint_and_is_asked_once),
    };
    return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}

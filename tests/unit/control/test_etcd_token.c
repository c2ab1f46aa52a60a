// Authentication, against etcd itself: its tokens last a second here, unless they are used.
#include "etcd_scene.h"
#include "peer.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define PASSWORD "open sesame"

static int open_scene(void **state) {
    return etcd_scene_open(state, (struct etcd_settings){.username = "root", .password = PASSWORD});
}

// The first one: authentication is off until its end, then on, and the client never notices.
static void it_may_be_switched_on_under_way(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    etcd_stage_put(&scene->stage, "auth/a", "1", 0);
    etcd_stage_good(&scene->stage);
    etcd_server_lock(&scene->server, PASSWORD);
    etcd_stage_put(&scene->stage, "auth/a", "2", 0);
    etcd_stage_good(&scene->stage);
    etcd_stage_range(&scene->stage, "auth/");
    assert_string_equal(scene->stage.pairs, "auth/a=2 ");
}

static void who_has_no_name_or_a_wrong_password_is_refused(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    struct etcd_stage other;
    const char *url = scene->server.url;
    etcd_stage_open(&other, &url, 1, (struct etcd_settings){0});
    etcd_stage_put(&other, "auth/b", "1", 0);
    assert_non_null(strstr(other.error, "user name is empty"));
    assert_true(other.answer.refused && other.answer.no_effect);
    etcd_stage_close(&other);
    etcd_stage_open(&other, &url, 1, (struct etcd_settings){.username = "root", .password = "open barley"});
    etcd_stage_put(&other, "auth/b", "1", 0);
    assert_non_null(strstr(other.error, url));
    assert_non_null(strstr(other.error, "authentication failed"));
    assert_null(strstr(other.error, "barley"));
    assert_true(other.answer.no_effect);
    etcd_stage_watch(&other, "auth/", 0);
    peer_run_until(other.base, &other.ends, 1);
    assert_int_equal(other.how, ETCD_WATCH_LOST);
    assert_non_null(strstr(other.why, "authentication failed"));
    etcd_stage_close(&other);
}

static void a_token_that_has_expired_is_renewed(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    for (int i = 0; i < 2; i++) {
        etcd_stage_range(&scene->stage, "auth/");
        etcd_stage_good(&scene->stage);
        peer_run_for(scene->stage.base, 2500);
    }
    etcd_stage_put(&scene->stage, "auth/c", "1", 0);
    etcd_stage_good(&scene->stage);
}

static void a_watch_is_opened_with_a_token_and_again_with_a_new_one(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    struct etcd_stage *stage = &scene->stage;
    etcd_stage_put(stage, "auth/d", "1", 0);
    int64_t from = stage->answer.revision;
    etcd_stage_watch(stage, "auth/", from);
    peer_run_until(stage->base, &stage->told, 1);
    etcd_watch_close(stage->watch);
    stage->watch = NULL;
    peer_run_for(stage->base, 2500); // it expires
    etcd_stage_watch(stage, "auth/", from);
    peer_run_until(stage->base, &stage->ends, 1);
    assert_non_null(strstr(stage->why, "invalid auth token"));
    etcd_stage_watch(stage, "auth/", from);
    peer_run_until(stage->base, &stage->told, 1);
    assert_string_equal(stage->events, "+auth/d=1 ");
    etcd_watch_close(stage->watch);
    stage->watch = NULL;
}

static void a_restart_forgets_tokens_and_the_client_gets_another(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    etcd_stage_range(&scene->stage, "auth/");
    etcd_stage_good(&scene->stage);
    etcd_server_kill(&scene->server);
    etcd_server_run(&scene->server);
    etcd_stage_ready(&scene->stage);
    etcd_stage_put(&scene->stage, "auth/e", "1", 0);
    etcd_stage_good(&scene->stage);
}

int test_etcd_token(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_may_be_switched_on_under_way),
        cmocka_unit_test(who_has_no_name_or_a_wrong_password_is_refused),
        cmocka_unit_test(a_token_that_has_expired_is_renewed),
        cmocka_unit_test(a_watch_is_opened_with_a_token_and_again_with_a_new_one),
        cmocka_unit_test(a_restart_forgets_tokens_and_the_client_gets_another),
    };
    return cmocka_run_group_tests_name("etcd_token", tests, open_scene, etcd_scene_close);
}

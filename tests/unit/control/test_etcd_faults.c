// The client of etcd against two that stand in for it: what is repeated, where, and what is not.
#include "etcd_stage.h"
#include "peer.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANGE  "{\"header\":{\"revision\":\"7\"},\"kvs\":[{\"key\":\"YQ==\",\"value\":\"MQ==\"}]}"
#define TXN    "{\"header\":{\"revision\":\"8\"},\"succeeded\":true}"
#define NOBODY "http://127.0.0.1:1"

struct scene {
    struct event_base *base; // of the stage
    struct peer peers[2];
    struct etcd_stage stage;
    const char *urls[2];
    unsigned renewals, refusals; // tokens given; requests with a good one that are refused all the same
};

static int open_scene(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    const char *none = NOBODY;
    *state = scene;
    etcd_stage_open(&scene->stage, &none, 1, (struct etcd_settings){0}); // for its base
    for (int i = 0; i < 2; i++) {
        peer_open(&scene->peers[i], scene->stage.base);
        scene->urls[i] = scene->peers[i].url;
        scene->peers[i].body = RANGE;
    }
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    for (int i = 0; i < 2; i++)
        peer_close(&scene->peers[i]);
    etcd_stage_close(&scene->stage);
    free(scene);
    return 0;
}

static void use(struct scene *scene, const char *const *urls, size_t count, struct etcd_settings settings) {
    settings.endpoints = urls;
    settings.endpoint_count = count;
    settings.user_agent = "unit";
    settings.timeout_ms = settings.timeout_ms ? settings.timeout_ms : 30000;
    etcd_free(scene->stage.etcd);
    scene->stage.etcd = etcd_new(scene->stage.base, &settings);
}

static void what_cannot_connect_goes_to_the_next_one(void **state) {
    struct scene *scene = *state;
    struct peer *second = &scene->peers[1];
    use(scene, (const char *const[]){NOBODY, second->url}, 2, (struct etcd_settings){0});
    second->body = TXN;
    etcd_stage_put(&scene->stage, "a", "1", 0); // a write that was never sent
    etcd_stage_good(&scene->stage);
    assert_true(scene->stage.answer.succeeded);
    assert_int_equal(scene->stage.answer.revision, 8);
    second->body = RANGE;
    etcd_stage_range(&scene->stage, "a");
    assert_string_equal(scene->stage.pairs, "a=1 ");
    assert_int_equal(second->count, 2);
    assert_string_equal(second->calls[0].uri, "/v3/kv/txn");
    assert_string_equal(second->calls[0].type, "application/json");
    assert_string_equal(second->calls[0].method, "POST");
    assert_string_equal(second->calls[0].leader, "true"); // a member that has none says so
}

static void a_read_that_fails_there_is_repeated_here_and_a_write_is_not(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 2, (struct etcd_settings){0});
    scene->peers[0].status = 503;
    scene->peers[0].body = "{\"error\":\"etcdserver: request timed out\",\"code\":14}";
    etcd_stage_range(&scene->stage, "a");
    etcd_stage_good(&scene->stage);
    assert_int_equal(scene->peers[0].count, 1);
    assert_int_equal(scene->peers[1].count, 1);
    scene->peers[1].status = 500;
    scene->peers[0].status = 200;
    scene->peers[0].body = TXN;
    etcd_stage_put(&scene->stage, "a", "1", 0);
    assert_non_null(strstr(scene->stage.error, scene->urls[1]));
    assert_non_null(strstr(scene->stage.error, "answered 500"));
    assert_false(scene->stage.answer.no_effect);
    assert_false(scene->stage.answer.refused);
    assert_int_equal(scene->peers[0].count, 1);
    etcd_stage_put(&scene->stage, "a", "1", 0); // the next one is in use
    etcd_stage_good(&scene->stage);
    assert_int_equal(scene->peers[0].count, 2);
}

static void a_write_that_a_member_without_leader_turns_down_is_repeated(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 2, (struct etcd_settings){0});
    scene->peers[0].status = 503;
    scene->peers[0].body = "{\"error\":\"etcdserver: no leader\",\"code\":14}";
    scene->peers[1].body = TXN;
    etcd_stage_put(&scene->stage, "a", "1", 0);
    etcd_stage_good(&scene->stage);
    scene->peers[1].status = 503;
    scene->peers[1].body = scene->peers[0].body;
    etcd_stage_put(&scene->stage, "a", "1", 0);
    assert_non_null(strstr(scene->stage.error, "no leader"));
    assert_true(scene->stage.answer.no_effect);
    assert_int_equal(scene->peers[0].count, 2); // each once, of each call
    assert_int_equal(scene->peers[1].count, 2);
}

static void a_doubt_of_one_try_stays_a_doubt(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 2, (struct etcd_settings){0});
    scene->peers[0].status = 500;
    scene->peers[1].status = 400;
    scene->peers[1].body = "{\"error\":\"etcdserver: no\",\"code\":3}";
    etcd_revoke(scene->stage.etcd, 7, etcd_stage_done, &scene->stage);
    peer_run_until(scene->stage.base, &scene->stage.answers, 1);
    assert_true(scene->stage.answer.refused);
    assert_false(scene->stage.answer.no_effect);
}

static void what_is_refused_is_refused_by_all(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 2, (struct etcd_settings){0});
    scene->peers[0].status = 404;
    scene->peers[0].body = "{\"error\":\"etcdserver: requested lease not found\",\"code\":5}";
    etcd_stage_put(&scene->stage, "a", "1", 77);
    assert_true(scene->stage.answer.refused && scene->stage.answer.no_effect);
    assert_int_equal(scene->peers[0].count, 1);
    assert_int_equal(scene->peers[1].count, 0);
}

static void time_is_limited_for_each_try(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 2, (struct etcd_settings){.timeout_ms = 300});
    scene->peers[0].status = PEER_HOLD;
    etcd_stage_range(&scene->stage, "a");
    etcd_stage_good(&scene->stage);
    scene->peers[1].status = PEER_HOLD;
    etcd_stage_put(&scene->stage, "a", "1", 0);
    assert_non_null(strstr(scene->stage.error, scene->urls[1]));
    assert_false(scene->stage.answer.no_effect);
    peer_release(&scene->peers[0], 200);
    peer_release(&scene->peers[1], 200);
}

static void what_is_not_etcds_is_a_fault(void **state) {
    static const char *const bodies[] = {"", "<html>", "{}", "[1]", "{\"header\":{\"revision\":\"x\"}}"};
    struct scene *scene = *state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        use(scene, scene->urls, 2, (struct etcd_settings){0});
        scene->peers[0].body = bodies[i];
        etcd_stage_range(&scene->stage, "a");
        etcd_stage_good(&scene->stage); // of the second one
        assert_int_equal(scene->peers[1].count, i + 1);
    }
    etcd_stage_keep_alive(&scene->stage, 1);
    assert_non_null(strstr(scene->stage.error, "answered what etcd does not answer"));
}

static void an_error_in_the_stream_of_a_good_answer_is_one(void **state) {
    struct scene *scene = *state;
    use(scene, scene->urls, 1, (struct etcd_settings){0});
    scene->peers[0].body =
        "{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"etcdserver: no leader\"}}\n";
    etcd_stage_keep_alive(&scene->stage, 1);
    assert_non_null(strstr(scene->stage.error, "etcdserver: no leader"));
    assert_true(scene->stage.answer.no_effect);
    scene->peers[0].body = "{\"result\":{\"header\":{},\"ID\":\"1\",\"TTL\":\"9\"}}\n";
    etcd_stage_keep_alive(&scene->stage, 1);
    etcd_stage_good(&scene->stage);
    assert_int_equal(scene->stage.answer.ttl_s, 9);
}

static void two_that_fail_together_move_on_by_one(void **state) {
    struct scene *scene = *state;
    const char *urls[] = {NOBODY, scene->urls[0], scene->urls[1]};
    use(scene, urls, 3, (struct etcd_settings){0});
    for (int i = 0; i < 2; i++)
        etcd_range(scene->stage.etcd, &(struct etcd_range){.key = SLICE("a")}, etcd_stage_done,
                   &scene->stage);
    peer_run_until(scene->stage.base, &scene->stage.answers, 2);
    assert_int_equal(scene->peers[0].count, 2);
    assert_int_equal(scene->peers[1].count, 0);
}

static void where_nobody_is_the_last_one_is_named(void **state) {
    struct scene *scene = *state;
    const char *urls[] = {"http://name:word@127.0.0.1:1/", "http://127.0.0.2:1"};
    use(scene, urls, 2, (struct etcd_settings){0});
    etcd_stage_put(&scene->stage, "a", "1", 0);
    assert_string_equal(scene->stage.error, "http://127.0.0.2:1: cannot connect: Connection refused");
    assert_true(scene->stage.answer.no_effect);
    etcd_stage_range(&scene->stage, "a"); // begins at the first again
    use(scene, urls, 1, (struct etcd_settings){0});
    etcd_stage_range(&scene->stage, "a");
    assert_string_equal(scene->stage.error, "http://***@127.0.0.1:1: cannot connect: Connection refused");
}

// Gives tokens "token-0001", "token-0002", …; the first `refusals` requests that bear one are refused.
static int answer_with_tokens(const struct peer_call *call, const char **body, void *context) {
    static char token[64];
    struct scene *scene = context;
    if (strcmp(call->uri, "/v3/auth/authenticate") == 0) {
        assert_string_equal(call->body, "{\"name\":\"me\",\"password\":\"secret word\"}");
        snprintf(token, sizeof token, "{\"header\":{},\"token\":\"token-%04u\"}", ++scene->renewals);
        *body = token;
        return 200;
    }
    if (scene->refusals == 0)
        return 200;
    scene->refusals--;
    // one that talks
    *body = "{\"error\":\"etcdserver: invalid auth token token-0001 token-0002 secret word\",\"code\":16}";
    return 401;
}

static void calls_share_a_token_and_renew_it_once(void **state) {
    struct scene *scene = *state;
    struct etcd_stage *stage = &scene->stage;
    scene->peers[0].answer = answer_with_tokens;
    scene->peers[0].context = scene;
    use(scene, scene->urls, 1, (struct etcd_settings){.username = "me", .password = "secret word"});
    for (int i = 0; i < 3; i++)
        etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("a")}, etcd_stage_done, stage);
    peer_run_until(stage->base, &stage->answers, 3);
    etcd_stage_good(stage);
    assert_int_equal(scene->renewals, 1);
    scene->refusals = 3;
    for (int i = 0; i < 3; i++)
        etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("a")}, etcd_stage_done, stage);
    peer_run_until(stage->base, &stage->answers, 6);
    etcd_stage_good(stage);
    assert_true(scene->renewals >= 2 && scene->renewals <= 3);
}

static void a_token_that_is_never_taken_is_an_error_without_secrets(void **state) {
    struct scene *scene = *state;
    scene->peers[0].answer = answer_with_tokens;
    scene->peers[0].context = scene;
    scene->refusals = 1000;
    use(scene, scene->urls, 1, (struct etcd_settings){.username = "me", .password = "secret word"});
    etcd_stage_put(&scene->stage, "a", "1", 0);
    assert_int_equal(scene->renewals, 2);
    assert_non_null(strstr(scene->stage.error, "invalid auth token"));
    assert_null(strstr(scene->stage.error, "secret word"));
    assert_null(strstr(scene->stage.error, "token-0002"));
    assert_true(scene->stage.answer.no_effect);
}

static void a_call_that_waits_for_a_token_can_be_cancelled(void **state) {
    struct scene *scene = *state;
    struct etcd_stage *stage = &scene->stage;
    struct etcd_call *call;
    scene->peers[0].answer = answer_with_tokens;
    scene->peers[0].context = scene;
    use(scene, scene->urls, 1, (struct etcd_settings){.username = "me", .password = "secret word"});
    call = etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("a")}, etcd_stage_done, stage);
    etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("b")}, etcd_stage_done, stage);
    etcd_cancel(call);
    peer_run_until(stage->base, &stage->answers, 1);
    peer_run_for(stage->base, 50);
    assert_int_equal(stage->answers, 1);
    etcd_range(stage->etcd, &(struct etcd_range){.key = SLICE("b")}, etcd_stage_done, stage);
    etcd_watch_open(stage->etcd, SLICE("a"), 0, &(struct etcd_watcher){.context = stage});
    etcd_free(stage->etcd); // with what is under way
    stage->etcd = NULL;
}

int test_etcd_faults(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(what_cannot_connect_goes_to_the_next_one),
        SCENE(a_read_that_fails_there_is_repeated_here_and_a_write_is_not),
        SCENE(a_write_that_a_member_without_leader_turns_down_is_repeated),
        SCENE(a_doubt_of_one_try_stays_a_doubt),
        SCENE(what_is_refused_is_refused_by_all),
        SCENE(time_is_limited_for_each_try),
        SCENE(what_is_not_etcds_is_a_fault),
        SCENE(an_error_in_the_stream_of_a_good_answer_is_one),
        SCENE(two_that_fail_together_move_on_by_one),
        SCENE(where_nobody_is_the_last_one_is_named),
        SCENE(calls_share_a_token_and_renew_it_once),
        SCENE(a_token_that_is_never_taken_is_an_error_without_secrets),
        SCENE(a_call_that_waits_for_a_token_can_be_cancelled),
    };
    return cmocka_run_group_tests_name("etcd_faults", tests, NULL, NULL);
}

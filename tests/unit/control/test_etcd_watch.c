// Watches, against etcd itself.
#include "etcd_scene.h"
#include "peer.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS 100

static int open_scene(void **state) {
    return etcd_scene_open(state, (struct etcd_settings){.timeout_ms = 10000, .ask_ms = ASK_MS});
}

static int close_watch(void **state) {
    struct etcd_scene *scene = *state;
    etcd_watch_close(scene->stage.watch);
    scene->stage.watch = NULL;
    return 0;
}

static void puts_and_deletes_come_in_order_from_an_old_revision_on(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    etcd_stage_put(stage, "order/before", "0", 0);
    etcd_stage_put(stage, "order/a", "1", 0);
    int64_t from = stage->answer.revision;
    etcd_stage_put(stage, "elsewhere", "1", 0);
    etcd_stage_put(stage, "order/a", "2", 0);
    etcd_stage_delete(stage, "order/a");
    int64_t old = stage->answer.revision;
    etcd_stage_watch(stage, "order/", from);
    peer_run_until(stage->base, &stage->told, 3);
    assert_string_equal(stage->events, "+order/a=1 +order/a=2 -order/a ");
    assert_int_equal(stage->revision, old);
    etcd_stage_put(stage, "order/b", "3", 0);
    etcd_stage_good(stage);
    int64_t last = stage->answer.revision;
    peer_run_until(stage->base, &stage->told, 4);
    assert_string_equal(stage->events, "+order/a=1 +order/a=2 -order/a +order/b=3 ");
    assert_int_equal(stage->revision, last);
    assert_int_equal(stage->progresses, 0); // that would be before what it told
    assert_int_equal(stage->ends, 0);
    // what one watch told, the next one does not
    close_watch(state);
    etcd_stage_watch(stage, "order/", last + 1);
    etcd_stage_put(stage, "order/c", "4", 0);
    peer_run_until(stage->base, &stage->told, 1);
    assert_string_equal(stage->events, "+order/c=4 ");
}

static void a_watch_from_now_on_says_where_it_begins(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    etcd_stage_put(stage, "now/a", "1", 0);
    int64_t before = stage->answer.revision;
    etcd_stage_watch(stage, "now/", 0);
    peer_run_until(stage->base, &stage->progresses, 1);
    assert_int_equal(stage->progress, before);
    etcd_stage_put(stage, "now/b", "2", 0);
    peer_run_until(stage->base, &stage->told, 1);
    assert_string_equal(stage->events, "+now/b=2 ");
}

static void where_nothing_changes_there_are_signs_of_life(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    etcd_stage_watch(stage, "quiet/", 0);
    peer_run_until(stage->base, &stage->progresses, 1);
    int64_t youngest = 1000000;
    for (int i = 0; i < 40; i++) { // two seconds and more
        peer_run_for(stage->base, 50);
        assert_non_null(stage->watch);
        if (i >= 20 && etcd_watch_age_ms(stage->watch) < youngest)
            youngest = etcd_watch_age_ms(stage->watch);
    }
    assert_true(youngest < 900); // what came at its beginning is older by now
    assert_int_equal(stage->ends, 0);
    assert_int_equal(stage->told, 0);
    assert_int_equal(stage->progresses, 1); // an answer to asking is none
}

static void a_revision_that_is_compacted_away_ends_the_watch(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    struct etcd_stage *stage = &scene->stage;
    etcd_stage_put(stage, "compacted/a", "1", 0);
    int64_t from = stage->answer.revision;
    etcd_stage_put(stage, "compacted/a", "2", 0);
    etcd_stage_put(stage, "compacted/a", "3", 0);
    int64_t last = stage->answer.revision;
    etcd_server_compact(&scene->server, last);
    etcd_stage_watch(stage, "compacted/", from);
    peer_run_until(stage->base, &stage->ends, 1);
    assert_int_equal(stage->how, ETCD_WATCH_COMPACTED);
    assert_int_equal(stage->compacted, last);
    assert_non_null(strstr(stage->why, "compacted"));
    assert_int_equal(stage->told, 0);
    etcd_stage_watch(stage, "compacted/", stage->compacted); // from there it can be watched
    peer_run_until(stage->base, &stage->told, 1);
    assert_string_equal(stage->events, "+compacted/a=3 ");
}

static void it_can_be_closed_by_what_it_tells(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    etcd_stage_put(stage, "closed/a", "1", 0);
    etcd_stage_watch(stage, "closed/", stage->answer.revision);
    stage->close_at_once = true;
    peer_run_until(stage->base, &stage->told, 1);
    assert_null(stage->watch);
    etcd_stage_put(stage, "closed/b", "2", 0);
    peer_run_for(stage->base, 200);
    assert_string_equal(stage->events, "+closed/a=1 ");
    assert_int_equal(stage->ends, 0);
}

// 3 MB of events, each revision 1 MB: more than fits into a message of etcd's, and into one of its fragments.
static void many_events_at_once_come_in_several_tellings(void **state) {
    struct etcd_stage *stage = &etcd_scene_of(state)->stage;
    enum { KEYS = 100, ROUNDS = 3 };
    static char value[10000], keys[KEYS][24];
    struct etcd_operation puts[KEYS];
    int64_t from = 0;
    memset(value, 'v', sizeof value);
    for (int i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof keys[i], "many/%d", i);
        puts[i] = (struct etcd_operation){
            .verb = ETCD_PUT, .at.key = slice_of(keys[i]), .value = {value, sizeof value}};
    }
    for (int i = 0; i < ROUNDS; i++) {
        etcd_stage_txn(stage, &(struct etcd_txn){.then = puts, .then_count = KEYS});
        etcd_stage_good(stage);
        from = from ? from : stage->answer.revision;
    }
    int64_t last = stage->answer.revision;
    etcd_stage_watch(stage, "many/", from);
    peer_run_until(stage->base, &stage->told, KEYS * ROUNDS);
    assert_true(stage->tellings > 1);
    assert_int_equal(stage->told, KEYS * ROUNDS);
    assert_int_equal(stage->revision, last);
    etcd_stage_delete(stage, "many/");
    peer_run_until(stage->base, &stage->told, KEYS * ROUNDS + KEYS);
    assert_int_equal(stage->ends, 0);
}

static void a_process_that_stands_still_is_noticed(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    struct etcd_stage *stage = &scene->stage, hasty;
    const char *url = scene->server.url;
    etcd_stage_open(&hasty, &url, 1, (struct etcd_settings){.timeout_ms = 1000, .ask_ms = ASK_MS});
    etcd_stage_watch(&hasty, "still/", 0);
    peer_run_until(hasty.base, &hasty.progresses, 1);
    kill(scene->server.pid, SIGSTOP);
    peer_run_until(hasty.base, &hasty.ends, 1);
    kill(scene->server.pid, SIGCONT);
    assert_int_equal(hasty.how, ETCD_WATCH_LOST);
    assert_non_null(strstr(hasty.why, "silent for"));
    assert_non_null(strstr(hasty.why, url));
    etcd_stage_close(&hasty);
    etcd_stage_ready(stage);
}

// The last one: the server is gone afterwards.
static void a_process_that_dies_ends_watches_and_fails_calls(void **state) {
    struct etcd_scene *scene = etcd_scene_of(state);
    struct etcd_stage *stage = &scene->stage;
    etcd_stage_watch(stage, "dies/", 0);
    peer_run_until(stage->base, &stage->progresses, 1);
    etcd_server_kill(&scene->server);
    peer_run_until(stage->base, &stage->ends, 1);
    assert_int_equal(stage->how, ETCD_WATCH_LOST);
    assert_non_null(strstr(stage->why, scene->server.url));
    etcd_stage_put(stage, "dies/a", "1", 0);
    assert_non_null(strstr(stage->error, scene->server.url));
    assert_non_null(strstr(stage->error, "cannot connect"));
    assert_true(stage->answer.no_effect);
    assert_false(stage->answer.refused);
    etcd_stage_watch(stage, "dies/", 0); // nobody is there
    peer_run_until(stage->base, &stage->ends, 1);
    assert_non_null(strstr(stage->why, "cannot connect"));
}

int test_etcd_watch(void) {
#define WATCH(test) cmocka_unit_test_teardown(test, close_watch)
    const struct CMUnitTest tests[] = {
        WATCH(puts_and_deletes_come_in_order_from_an_old_revision_on),
        WATCH(a_watch_from_now_on_says_where_it_begins),
        WATCH(where_nothing_changes_there_are_signs_of_life),
        WATCH(a_revision_that_is_compacted_away_ends_the_watch),
        WATCH(it_can_be_closed_by_what_it_tells),
        WATCH(many_events_at_once_come_in_several_tellings),
        WATCH(a_process_that_stands_still_is_noticed),
        WATCH(a_process_that_dies_ends_watches_and_fails_calls),
    };
    return cmocka_run_group_tests_name("etcd_watch", tests, open_scene, etcd_scene_close);
}

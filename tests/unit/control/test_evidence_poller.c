// The leader's questions to Prometheus, against a peer that answers as that does.
#include "../../../src/control/evidence_poller.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

#include <string.h>

#define SUCCESS(result) \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" result "]}}"
#define OF(member)            "\"member\":\"" member "\",\"route\":\"chat\",\"epoch\":\"4\""
#define SAMPLE(labels, value) "{\"metric\":{" labels "},\"value\":[9,\"" value "\"]}"
#define MEMBER(member)                                                                                    \
    SAMPLE("\"__name__\":\"sluice_fleet_evidence\",\"part\":\"begun\",\"arm\":\"baseline\"," OF(member),  \
           "12")                                                                                          \
    "," SAMPLE("\"__name__\":\"sluice_fleet_evidence\",\"part\":\"series\"," OF(member), "1") "," SAMPLE( \
        "\"__name__\":\"sluice_fleet_evidence_sample_ratio\",\"shares\":\"1\"," OF(member),               \
        "0") "," SAMPLE("\"part\":\"newest\"," OF(member),                                                \
                        "8") "," SAMPLE("\"part\":\"oldest\"," OF(member), "8")

struct scene {
    struct event_base *base;
    struct peer peer;
    struct evidence_poller *poller;
    unsigned heard, strangers;
};

static bool on_heard(const struct evidence *evidence, void *context) {
    struct scene *scene = context;
    assert_string_equal(evidence->route, "chat");
    assert_int_equal(evidence->tally.baseline, 12);
    scene->heard++;
    if (strcmp(evidence->member, "stranger") != 0)
        return true;
    scene->strangers++;
    return false;
}

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    peer_open(&scene->peer, scene->base);
    scene->peer.body = SUCCESS(MEMBER("a"));
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    evidence_poller_free(scene->poller);
    peer_close(&scene->peer);
    event_base_free(scene->base);
    mem_free(scene);
    return 0;
}

static void begin(struct scene *scene, int64_t interval_ms, int64_t patience_ms) {
    scene->poller = evidence_poller_new(&(struct evidence_poller_settings){
        .base = scene->base,
        .url = scene->peer.url,
        .prefix = "/f",
        .user_agent = "unit",
        .interval_ms = interval_ms,
        .patience_ms = patience_ms,
        .heard = on_heard,
        .context = scene,
    });
}

static struct evidence_view view(const struct scene *scene) {
    return evidence_poller_view(scene->poller);
}

static void only_who_leads_asks(void **state) {
    struct scene *scene = *state;
    begin(scene, 5, 60000);
    peer_run_for(scene->base, 30);
    assert_int_equal(scene->peer.count, 0);
    assert_false(view(scene).asking || view(scene).blind);
    evidence_poller_ask(scene->poller, true);
    assert_int_equal(scene->heard, 0);
    peer_run_until(scene->base, &scene->heard, 3);
    assert_non_null(strstr(scene->peer.calls[0].uri, "/api/v1/query?query=%7B__name__"));
    assert_true(view(scene).asking && view(scene).instances == 1 && view(scene).age < 10);
    assert_string_equal(view(scene).error, "");
    evidence_poller_ask(scene->poller, false);
    unsigned asked = scene->peer.count, heard = scene->heard;
    peer_run_for(scene->base, 30);
    assert_true(scene->peer.count <= asked + 1); // one was on its way
    assert_int_equal(scene->heard, heard);
    assert_int_equal(view(scene).instances, 0);
}

static void members_are_counted_and_strangers_are_not(void **state) {
    struct scene *scene = *state;
    scene->peer.body = SUCCESS(MEMBER("a") "," MEMBER("stranger") "," MEMBER("b"));
    begin(scene, 3600000, 60000);
    evidence_poller_ask(scene->poller, true);
    peer_run_until(scene->base, &scene->heard, 3);
    assert_int_equal(view(scene).instances, 2);
    assert_int_equal(scene->strangers, 1);
}

static void there_are_never_two_questions(void **state) {
    struct scene *scene = *state;
    scene->peer.status = PEER_HOLD;
    begin(scene, 5, 50);
    evidence_poller_ask(scene->poller, true);
    peer_run_for(scene->base, 100);
    assert_int_equal(scene->peer.count, 1);
    assert_true(view(scene).blind);
    scene->peer.status = 200;
    peer_release(&scene->peer, 200);
    peer_run_until(scene->base, &scene->heard, 2);
    assert_false(view(scene).blind);
}

static void what_fails_is_told_and_nothing_is_taken(void **state) {
    struct scene *scene = *state;
    begin(scene, 5, 50);
    evidence_poller_ask(scene->poller, true);
    peer_run_until(scene->base, &scene->heard, 1);
    scene->peer.status = 500;
    scene->peer.body = "";
    peer_run_for(scene->base, 150);
    unsigned heard = scene->heard;
    assert_string_equal(view(scene).error, "Prometheus answered 500");
    assert_true(view(scene).blind && view(scene).age > 0.05);
    scene->peer.status = 200;
    scene->peer.body = SUCCESS("");
    unsigned asked = scene->peer.count;
    peer_run_until(scene->base, &scene->peer.count, asked + 3);
    assert_int_equal(scene->heard, heard); // it works again, and nobody has counted
    assert_string_equal(view(scene).error, "");
    assert_false(view(scene).blind);
    assert_int_equal(view(scene).instances, 0);
}

static void freed_at_any_time(void **state) {
    struct scene *scene = *state;
    begin(scene, 5, 50);
    evidence_poller_ask(scene->poller, true);
    evidence_poller_free(scene->poller);
    scene->peer.status = PEER_HOLD;
    begin(scene, 5, 50);
    evidence_poller_ask(scene->poller, true);
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    evidence_poller_free(scene->poller);
    evidence_poller_free(NULL);
    scene->poller = NULL;
    peer_run_for(scene->base, 30);
    assert_int_equal(scene->heard, 0);
}

int test_evidence_poller(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_who_leads_asks, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(members_are_counted_and_strangers_are_not, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(there_are_never_two_questions, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(what_fails_is_told_and_nothing_is_taken, open_scene, close_scene),
        cmocka_unit_test_setup_teardown(freed_at_any_time, open_scene, close_scene),
    };
    return cmocka_run_group_tests_name("evidence_poller", tests, NULL, NULL);
}

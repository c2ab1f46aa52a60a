#include "../../../src/control/notice.h"
#include "../../../src/control/notifier.h"
#include "base/clock.h"
#include "base/mem.h"
#include "peer.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

struct scene {
    struct event_base *base;
    struct fetcher *fetcher;
    struct notifier *notifier;
    struct peer peer;
    char other[80]; // another URL of the same peer
};

static int open_scene(void **state) {
    struct scene *scene = mem_zero(1, sizeof *scene);
    fetch_setup();
    scene->base = event_base_new();
    scene->fetcher = fetcher_new(scene->base, 4);
    peer_open(&scene->peer, scene->base);
    snprintf(scene->other, sizeof scene->other, "%s/other", scene->peer.url);
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    notifier_free(scene->notifier);
    fetcher_free(scene->fetcher);
    peer_close(&scene->peer);
    event_base_free(scene->base);
    mem_free(scene);
    return 0;
}

static void begin(struct scene *scene, unsigned tries, unsigned most) {
    struct notifier_settings settings = {.user_agent = "unit",
                                         .timeout_ms = 5000,
                                         .first_wait_ms = 4,
                                         .most_wait_ms = 16,
                                         .tries = tries,
                                         .most_waiting = most};
    scene->notifier = notifier_new(scene->base, scene->fetcher, &settings);
}

static void send_text(struct scene *scene, const char *url, const char *text) {
    notifier_send(scene->notifier, "on_promote", url, slice_of(text));
}

static void expect_counts(const struct scene *scene, unsigned delivered, unsigned failed, unsigned dropped,
                          unsigned waiting) {
    struct notifier_counts counts = notifier_count(scene->notifier);
    assert_int_equal(counts.delivered, delivered);
    assert_int_equal(counts.failed, failed);
    assert_int_equal(counts.dropped, dropped);
    assert_int_equal(counts.waiting, waiting);
}

// Until nothing waits any more.
static void run_dry(struct scene *scene) {
    uint64_t until = clock_monotonic_ns() + 60 * NS_PER_S;
    while (notifier_count(scene->notifier).waiting) {
        assert_true(clock_monotonic_ns() < until);
        event_base_loop(scene->base, EVLOOP_ONCE);
    }
}

static void what_fails_is_sent_again_in_order(void **state) {
    struct scene *scene = *state;
    const char *want[] = {"1", "1", "1", "2", "3", "3"};
    begin(scene, 0, 0);
    scene->peer.statuses[0] = 500;
    scene->peer.statuses[1] = 404;
    scene->peer.statuses[4] = 429;
    send_text(scene, scene->peer.url, "1");
    send_text(scene, scene->peer.url, "2");
    send_text(scene, scene->peer.url, "3");
    expect_counts(scene, 0, 0, 0, 3);
    run_dry(scene);
    expect_counts(scene, 3, 3, 0, 0);
    assert_int_equal(scene->peer.count, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_string_equal(scene->peer.calls[i].body, want[i]);
}

static void waits_grow(void **state) {
    struct scene *scene = *state;
    uint64_t began = clock_monotonic_ns();
    begin(scene, 6, 0);
    scene->peer.status = 500;
    send_text(scene, scene->peer.url, "1");
    run_dry(scene);
    // 4 + 8 + 16 + 16 + 16 ms at least; the timers' clock may be some milliseconds behind
    assert_true(clock_monotonic_ns() - began >= 50 * NS_PER_MS);
    expect_counts(scene, 0, 6, 1, 0);
}

static void after_the_last_try_it_is_dropped_and_the_next_goes_on(void **state) {
    struct scene *scene = *state;
    begin(scene, 2, 0);
    scene->peer.statuses[0] = scene->peer.statuses[1] = 500;
    send_text(scene, scene->peer.url, "1");
    send_text(scene, scene->peer.url, "2");
    run_dry(scene);
    expect_counts(scene, 1, 2, 1, 0);
    assert_int_equal(scene->peer.count, 3);
    assert_string_equal(scene->peer.calls[2].body, "2");
}

static void urls_do_not_wait_for_each_other(void **state) {
    struct scene *scene = *state;
    begin(scene, 0, 0);
    scene->peer.statuses[0] = PEER_HOLD;
    send_text(scene, scene->peer.url, "held");
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    send_text(scene, scene->other, "a");
    send_text(scene, scene->other, "b");
    peer_run_until(scene->base, &scene->peer.count, 3);
    assert_string_equal(scene->peer.calls[2].body, "b");
    peer_release(&scene->peer, 200);
    run_dry(scene);
    expect_counts(scene, 3, 0, 0, 0);
}

static void the_queue_is_bounded_and_the_newest_stay(void **state) {
    struct scene *scene = *state;
    const char *want[] = {"0", "8", "9"};
    begin(scene, 0, 3);
    scene->peer.statuses[0] = PEER_HOLD;
    for (int i = 0; i < 10; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", i);
        send_text(scene, scene->peer.url, text);
    }
    expect_counts(scene, 0, 0, 7, 3);
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    peer_release(&scene->peer, 200);
    run_dry(scene);
    expect_counts(scene, 3, 0, 7, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(scene->peer.calls[i].body, want[i]);
}

static void freed_at_any_time(void **state) {
    struct scene *scene = *state;
    begin(scene, 0, 0);
    scene->peer.statuses[0] = PEER_HOLD;
    scene->peer.statuses[1] = 500;
    send_text(scene, scene->peer.url, "under way");
    send_text(scene, scene->peer.url, "behind it");
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    send_text(scene, scene->other, "waits for its next try");
    while (notifier_count(scene->notifier).failed == 0)
        event_base_loop(scene->base, EVLOOP_ONCE);
    notifier_free(scene->notifier);
    notifier_free(NULL);
    scene->notifier = NULL;
    peer_run_for(scene->base, 50);
    assert_int_equal(scene->peer.count, 2);
}

static const char record[] =
    "{\"number\":7,\"route\":\"chat\",\"action\":\"rollback\",\"who\":\"controller\","
    "\"from\":{\"state\":\"step\",\"weights\":{\"stable\":75,\"canary\":25,\"shadow\":0}},"
    "\"to\":{\"state\":\"rolled_back\",\"weights\":{\"stable\":100,\"canary\":0,\"shadow\":0}},"
    "\"version\":\"v1.1\",\"because\":\"error_rate: 7 of 90 <b> & \\\"more\\\"\",\"guards\":[]}";

static void formats(void **state) {
    (void)state;
    struct strbuf out = {0};
    notice_write(NOTIFY_JSON, SLICE(record), &out);
    assert_string_equal(strbuf_text(&out), record);
    strbuf_clear(&out);
    notice_write(NOTIFY_SLACK, SLICE(record), &out);
    assert_string_equal(
        strbuf_text(&out),
        "{\"text\":\"*chat* rollback of v1.1 by controller, stable 75 % → 100 %, canary 25 % → "
        "0 %: error_rate: 7 of 90 &lt;b&gt; &amp; \\\"more\\\"\"}");
    strbuf_clear(&out);
    notice_write(
        NOTIFY_SLACK,
        SLICE("{\"route\":\"r\",\"action\":\"hold\",\"who\":\"controller\",\"version\":null,"
              "\"from\":{\"weights\":{\"a\":99.5}},\"to\":{\"weights\":{\"a\":99.5}},\"because\":\"\"}"),
        &out);
    assert_string_equal(strbuf_text(&out), "{\"text\":\"*r* hold by controller\"}");
    strbuf_free(&out);
}

static void everybody_is_told_in_his_format(void **state) {
    struct scene *scene = *state;
    struct notify_config list[] = {{.url = scene->peer.url, .format = NOTIFY_JSON},
                                   {.url = scene->other, .format = NOTIFY_SLACK}};
    begin(scene, 0, 0);
    notifier_tell(scene->notifier, list, 2, SLICE(record));
    run_dry(scene);
    expect_counts(scene, 2, 0, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        bool slack = strcmp(scene->peer.calls[i].uri, "/other") == 0;
        assert_string_equal(scene->peer.calls[i].type, "application/json");
        assert_int_equal(strncmp(scene->peer.calls[i].body, slack ? "{\"text\":\"*chat*" : record, 15), 0);
    }
}

int test_notifier(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(what_fails_is_sent_again_in_order),
        SCENE(waits_grow),
        SCENE(after_the_last_try_it_is_dropped_and_the_next_goes_on),
        SCENE(urls_do_not_wait_for_each_other),
        SCENE(the_queue_is_bounded_and_the_newest_stay),
        SCENE(freed_at_any_time),
        cmocka_unit_test(formats),
        SCENE(everybody_is_told_in_his_format),
    };
    return cmocka_run_group_tests_name("notifier", tests, NULL, NULL);
}

#include "../../../src/control/webhook.h"
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

static struct webhook *post(struct scene *scene, const char *url, int64_t timeout_ms) {
    struct webhook_request request = {.what = "before_step",
                                      .url = url,
                                      .body = SLICE("{\"route\":\"chat\"}"),
                                      .user_agent = "unit",
                                      .timeout_ms = timeout_ms};
    return webhook_post(scene->fetcher, &request, on_done, scene);
}

static void ask(struct scene *scene, int status, const char *body) {
    char url[128];
    snprintf(url, sizeof url, "%s/hook?key=secret", scene->peer.url);
    scene->peer.status = status;
    scene->peer.body = body;
    post(scene, url, 10000);
    peer_run_until(scene->base, &scene->done, scene->done + 1);
}

static void json_is_posted_and_2xx_is_a_yes(void **state) {
    struct scene *scene = *state;
    char want[200];
    ask(scene, 204, "");
    assert_true(scene->accepted);
    snprintf(want, sizeof want, "before_step at %s answered 204", scene->peer.url);
    assert_string_equal(scene->why, want);
    assert_string_equal(scene->peer.calls[0].method, "POST");
    assert_string_equal(scene->peer.calls[0].uri, "/hook?key=secret");
    assert_string_equal(scene->peer.calls[0].type, "application/json");
    assert_string_equal(scene->peer.calls[0].body, "{\"route\":\"chat\"}");
}

static void everything_else_is_a_no_with_what_was_said(void **state) {
    struct scene *scene = *state;
    const struct {
        int status;
        const char *body, *want;
    } cases[] = {
        {300, "", " answered 300"},
        {302, "", " answered 302"}, // redirects are not followed
        {404, "gone\r\nmore", " answered 404: gone"},
        {503, "  not on Fridays \n", " answered 503: not on Fridays"},
        {500, "a\033[31mb", " answered 500: a"},
        {500, "\n", " answered 500"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(scene, cases[i].status, cases[i].body);
        assert_false(scene->accepted);
        assert_string_equal(strstr(scene->why, " answered"), cases[i].want);
        assert_null(strstr(scene->why, "secret"));
    }
}

static void a_long_word_is_cut_between_characters(void **state) {
    struct scene *scene = *state;
    char body[4000] = "x"; // so that the cut falls inside a character of two bytes
    for (size_t i = 1; i + 2 < sizeof body; i += 2)
        memcpy(body + i, "\xc3\xa9", 3);
    ask(scene, 500, body);
    assert_false(scene->accepted);
    const char *said = strstr(scene->why, ": x") + 2;
    assert_int_equal(strlen(said), 119);
    assert_int_equal((unsigned char)said[118], 0xa9);
}

static void silence_ends_with_a_sentence(void **state) {
    struct scene *scene = *state;
    char url[128];
    scene->peer.status = PEER_HOLD;
    snprintf(url, sizeof url, "%s/secret", scene->peer.url);
    post(scene, url, 100);
    peer_run_until(scene->base, &scene->done, 1);
    assert_false(scene->accepted);
    assert_non_null(strstr(scene->why, " gave no answer: "));
    assert_null(strstr(scene->why, "secret"));
}

static void a_refused_connection_is_a_no(void **state) {
    struct scene *scene = *state;
    char url[128];
    snprintf(url, sizeof url, "%s", scene->peer.url);
    peer_close(&scene->peer);
    post(scene, url, 10000);
    peer_run_until(scene->base, &scene->done, 1);
    assert_false(scene->accepted);
    assert_non_null(strstr(scene->why, "Connection refused"));
}

static void a_cancelled_one_is_not_called(void **state) {
    struct scene *scene = *state;
    struct webhook *never_sent = post(scene, scene->peer.url, 10000);
    webhook_cancel(never_sent);
    scene->peer.status = PEER_HOLD;
    struct webhook *sent = post(scene, scene->peer.url, 10000);
    peer_run_until(scene->base, &scene->peer.under_way, 1);
    webhook_cancel(sent);
    webhook_cancel(NULL);
    scene->peer.status = 200;
    post(scene, scene->peer.url, 10000);
    peer_run_until(scene->base, &scene->done, 1);
    peer_run_for(scene->base, 20);
    assert_int_equal(scene->done, 1);
    assert_int_equal(scene->peer.count, 2);
}

static void the_origin_has_no_secrets(void **state) {
    (void)state;
    const char *cases[][2] = {
        {"https://hooks.example.com/T000/B000", "https://hooks.example.com"},
        {"http://user:password@host:8080/x", "http://host:8080"},
        {"http://host?key=a@b", "http://host"},
        {"http://[::1]:80#x", "http://[::1]:80"},
        {"http://host", "http://host"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = {0};
        webhook_origin(cases[i][0], &out);
        assert_string_equal(strbuf_text(&out), cases[i][1]);
        strbuf_free(&out);
    }
}

int test_webhook(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(json_is_posted_and_2xx_is_a_yes),       SCENE(everything_else_is_a_no_with_what_was_said),
        SCENE(a_long_word_is_cut_between_characters), SCENE(silence_ends_with_a_sentence),
        SCENE(a_refused_connection_is_a_no),          SCENE(a_cancelled_one_is_not_called),
        cmocka_unit_test(the_origin_has_no_secrets),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}

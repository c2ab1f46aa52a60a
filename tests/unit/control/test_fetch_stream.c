// Streams: a request whose body stays open, an answer that comes in pieces; the other end is a bare socket.
#include "control/fetch.h"
#include "peer.h"
#include "unit.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scene {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *other; // the last connection's
    struct fetcher *fetcher;
    struct fetch *fetch;
    char url[64];
    char heard[4096];  // by the other end
    char pieces[4096]; // what came in answer
    unsigned arrived, done;
    bool cancel_at_once;
    struct fetch_answer last; // without its body
    char body[256];
};

static void on_heard(struct bufferevent *other, void *context) {
    struct scene *scene = context;
    size_t len = strlen(scene->heard);
    size_t more = bufferevent_read(other, scene->heard + len, sizeof scene->heard - 1 - len);
    scene->heard[len + more] = '\0';
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                          void *context) {
    (void)listener, (void)from, (void)len;
    struct scene *scene = context;
    scene->other = bufferevent_socket_new(scene->base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(scene->other, on_heard, NULL, NULL, scene);
    bufferevent_enable(scene->other, EV_READ | EV_WRITE);
}

static int open_scene(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    fetch_setup();
    scene->base = event_base_new();
    scene->fetcher = fetcher_new(scene->base, 4);
    scene->listener = evconnlistener_new_bind(scene->base, on_connection, scene, LEV_OPT_CLOSE_ON_FREE, -1,
                                              (struct sockaddr *)&address, sizeof address);
    assert_non_null(scene->listener);
    getsockname(evconnlistener_get_fd(scene->listener), (struct sockaddr *)&address, &len);
    snprintf(scene->url, sizeof scene->url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    *state = scene;
    return 0;
}

static int close_scene(void **state) {
    struct scene *scene = *state;
    fetcher_free(scene->fetcher);
    if (scene->other)
        bufferevent_free(scene->other);
    evconnlistener_free(scene->listener);
    event_base_free(scene->base);
    free(scene);
    return 0;
}

static void on_piece(struct slice piece, void *context) {
    struct scene *scene = context;
    size_t len = strlen(scene->pieces);
    snprintf(scene->pieces + len, sizeof scene->pieces - len, "%.*s|", (int)piece.len, piece.at);
    scene->arrived++;
    if (scene->cancel_at_once)
        fetch_cancel(scene->fetch);
}

static void on_done(const struct fetch_answer *answer, void *context) {
    struct scene *scene = context;
    scene->done++;
    scene->last = *answer;
    snprintf(scene->body, sizeof scene->body, "%.*s", (int)answer->body.len,
             answer->body.at ? answer->body.at : "");
}

static void begin(struct scene *scene) {
    struct fetch_request request = {
        .method = "POST",
        .url = scene->url,
        .body = SLICE("hello"),
        .user_agent = "unit",
        .timeout_ms = 300,
        .most_body = 8,
        .fresh = true,
        .received = on_piece,
        .open = true,
    };
    scene->fetch = fetch_start(scene->fetcher, &request, on_done, scene);
}

static void hear(struct scene *scene, const char *wanted) {
    for (int i = 0; i < 3000 && !strstr(scene->heard, wanted); i++)
        peer_run_for(scene->base, 20);
    if (!strstr(scene->heard, wanted))
        fail_msg("it was not said, but %s", scene->heard);
}

static void answer(struct scene *scene, const char *text) {
    bufferevent_write(scene->other, text, strlen(text));
}

#define HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void both_sides_speak_in_turns_for_longer_than_the_timeout(void **state) {
    struct scene *scene = *state;
    begin(scene);
    hear(scene, "5\r\nhello\r\n");
    assert_non_null(strstr(scene->heard, "Transfer-Encoding: chunked"));
    answer(scene, HEAD "3\r\none\r\n");
    peer_run_until(scene->base, &scene->arrived, 1);
    assert_string_equal(scene->pieces, "one|");
    peer_run_for(scene->base, 500); // past timeout_ms
    assert_int_equal(scene->done, 0);
    fetch_say(scene->fetch, SLICE("more"));
    fetch_say(scene->fetch, SLICE(" and more"));
    hear(scene, "d\r\nmore and more\r\n");
    answer(scene, "3\r\ntwo\r\n0\r\n\r\n");
    peer_run_until(scene->base, &scene->done, 1);
    assert_string_equal(scene->pieces, "one|two|"); // all before the end
    assert_int_equal(scene->last.status, 200);
    assert_string_equal(scene->last.error, "");
    assert_string_equal(scene->body, "");
    assert_false(scene->last.unsent);
}

static void what_is_said_before_it_starts_is_sent(void **state) {
    struct scene *scene = *state;
    begin(scene);
    fetch_say(scene->fetch, SLICE(" world"));
    hear(scene, "hello world\r\n");
}

static void a_refusal_is_an_answer_like_any_other(void **state) {
    struct scene *scene = *state;
    begin(scene);
    hear(scene, "hello");
    answer(scene, "HTTP/1.1 503 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy");
    peer_run_until(scene->base, &scene->done, 1);
    assert_int_equal(scene->last.status, 503);
    assert_string_equal(scene->body, "busy");
    assert_int_equal(scene->arrived, 0);
}

static void it_can_be_cancelled_by_a_piece(void **state) {
    struct scene *scene = *state;
    begin(scene);
    scene->cancel_at_once = true;
    hear(scene, "hello");
    answer(scene, HEAD "3\r\none\r\n3\r\ntwo\r\n");
    peer_run_until(scene->base, &scene->arrived, 1);
    peer_run_for(scene->base, 50);
    assert_int_equal(scene->arrived, 1);
    assert_int_equal(scene->done, 0);
}

static void one_that_breaks_off_has_an_error(void **state) {
    struct scene *scene = *state;
    begin(scene);
    hear(scene, "hello");
    answer(scene, HEAD "3\r\none\r\n");
    peer_run_until(scene->base, &scene->arrived, 1);
    bufferevent_free(scene->other);
    scene->other = NULL;
    peer_run_until(scene->base, &scene->done, 1);
    assert_true(scene->last.error[0] != '\0');
    assert_false(scene->last.unsent);
}

static void a_refused_connection_has_sent_nothing(void **state) {
    struct scene *scene = *state;
    snprintf(scene->url, sizeof scene->url, "http://127.0.0.1:1/");
    begin(scene);
    peer_run_until(scene->base, &scene->done, 1);
    assert_true(scene->last.unsent);
    assert_string_equal(scene->last.error, "cannot connect: Connection refused");
}

int test_fetch_stream(void) {
#define SCENE(test) cmocka_unit_test_setup_teardown(test, open_scene, close_scene)
    const struct CMUnitTest tests[] = {
        SCENE(both_sides_speak_in_turns_for_longer_than_the_timeout),
        SCENE(what_is_said_before_it_starts_is_sent),
        SCENE(a_refusal_is_an_answer_like_any_other),
        SCENE(it_can_be_cancelled_by_a_piece),
        SCENE(one_that_breaks_off_has_an_error),
        SCENE(a_refused_connection_has_sent_nothing),
    };
    return cmocka_run_group_tests_name("fetch_stream", tests, NULL, NULL);
}

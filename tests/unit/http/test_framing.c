#include "message.h"
#include "unit.h"
#include <stdio.h>

static struct head head;
static struct framing framing;
#define H "Host: h\r\n"

static void request(struct slice bytes) {
    enum reject reject = message_request(bytes, &head, &framing);
    if (reject != REJECT_NONE)
        fail_msg("%s: %.*s", reject_name(reject), (int)bytes.len, bytes.at);
}

static void response(struct slice bytes, bool to_head) {
    enum reject reject = message_response(bytes, to_head, &head, &framing);
    if (reject != REJECT_NONE)
        fail_msg("%s: %.*s", reject_name(reject), (int)bytes.len, bytes.at);
}

static void bodies_of_requests(void **state) {
    (void)state;
    request(SLICE("POST / HTTP/1.1\r\n" H "\r\n"));
    assert_int_equal(framing.kind, BODY_NONE);
    request(SLICE("GET / HTTP/1.1\r\n" H "Content-Length: 7\r\n\r\n"));
    assert_int_equal(framing.kind, BODY_LENGTH);
    assert_int_equal(framing.length, 7);
    request(SLICE("GET / HTTP/1.1\r\n" H "Content-Length: 0010\r\n\r\n"));
    assert_int_equal(framing.length, 10);
    request(SLICE("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"));
    assert_int_equal(framing.kind, BODY_CHUNKED);
    request(SLICE("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\n"));
    assert_int_equal(framing.kind, BODY_LENGTH);
}

static void persistence(void **state) {
    (void)state;
    request(SLICE("GET / HTTP/1.1\r\n" H "\r\n"));
    assert_true(framing.keep_alive);
    request(SLICE("GET / HTTP/1.1\r\n" H "Connection: x, Close\r\n\r\n"));
    assert_false(framing.keep_alive);
    request(SLICE("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n"));
    assert_false(framing.keep_alive);
    request(SLICE("GET / HTTP/1.0\r\n\r\n"));
    assert_false(framing.keep_alive);
    request(SLICE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    assert_true(framing.keep_alive);
    response(SLICE("HTTP/1.1 200 OK\r\n\r\n"), false);
    assert_int_equal(framing.kind, BODY_UNTIL_CLOSE);
    assert_false(framing.keep_alive);
    response(SLICE("HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n"), false);
    assert_true(framing.keep_alive);
    response(SLICE("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"), false);
    assert_true(framing.keep_alive);
}

static void responses_without_body(void **state) {
    (void)state;
    static const char *const statuses[] = {"100", "103", "204", "304"};
    for (size_t i = 0; i < 4; i++) {
        char text[128];
        int len = snprintf(text, sizeof text, "HTTP/1.1 %s x\r\nContent-Length: 4\r\n\r\nEVIL", statuses[i]);
        response(slice_make(text, (size_t)len), false);
        assert_int_equal(framing.kind, BODY_NONE);
        assert_true(framing.keep_alive);
        len = snprintf(text, sizeof text, "HTTP/1.1 %s x\r\nTransfer-Encoding: chunked\r\n\r\n", statuses[i]);
        response(slice_make(text, (size_t)len), false);
        assert_int_equal(framing.kind, BODY_NONE);
    }
    response(SLICE("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), true);
    assert_int_equal(framing.kind, BODY_NONE);
    response(SLICE("HTTP/1.1 200 OK\r\n\r\n"), true); // to HEAD: ends at its head, so the connection stays
    assert_int_equal(framing.kind, BODY_NONE);
    assert_true(framing.keep_alive);
}

static void expectations(void **state) {
    (void)state;
    request(SLICE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
    assert_true(framing.expect_continue);
    request(SLICE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
    assert_true(framing.expect_continue);
    request(SLICE("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"));
    assert_false(framing.expect_continue); // nothing to continue with
    request(SLICE("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
    assert_false(framing.expect_continue);
}

static void upgrades(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        bool upgrade;
    } cases[] = {
        {SLICE("GET / HTTP/1.1\r\n" H "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"), true},
        {SLICE("GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n"), false},
        {SLICE("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\n\r\n"), false},
        {SLICE("GET / HTTP/1.0\r\n" H "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false},
        {SLICE("POST / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false},
        {SLICE("GET / HTTP/1.1\r\n" H
               "Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n"),
         false},
        {SLICE("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"), false},
        {SLICE("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n\r\n"), false},
        {SLICE("GET / HTTP/1.1\r\n" H "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n"),
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        request(cases[i].bytes);
        assert_int_equal(framing.upgrade, cases[i].upgrade);
    }
}

static void switches(void **state) {
    (void)state;
    static const struct {
        struct slice bytes;
        bool upgrade;
    } cases[] = {
        {SLICE("HTTP/1.1 101 X\r\nConnection: x, UPGRADE\r\nUpgrade: WebSocket\r\n\r\n"), true},
        {SLICE("HTTP/1.0 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false},
        {SLICE("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n"), false},
        {SLICE("HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n"), false},
        {SLICE("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"), false},
        {SLICE("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"), false},
        {SLICE("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n\r\n"), false},
        {SLICE("HTTP/1.1 200 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        response(cases[i].bytes, false);
        assert_int_equal(framing.upgrade, cases[i].upgrade);
    }
}

static void bounds_connection_options(void **state) {
    (void)state;
    for (size_t options = 64; options <= 65; options++) {
        char text[512] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: a";
        for (size_t i = 1; i < options; i++)
            strcat(text, ",b");
        strcat(text, "\r\n\r\n");
        assert_int_equal(message_request(slice_of(text), &head, &framing),
                         options == 64 ? REJECT_NONE : REJECT_BAD_FIELD_VALUE);
    }
}

int test_framing(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_requests),
        cmocka_unit_test(persistence),
        cmocka_unit_test(responses_without_body),
        cmocka_unit_test(expectations),
        cmocka_unit_test(upgrades),
        cmocka_unit_test(switches),
        cmocka_unit_test(bounds_connection_options),
    };
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}

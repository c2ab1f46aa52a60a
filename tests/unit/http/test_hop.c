#include "http/hop.h"
#include "message.h"
#include "unit.h"

#include <stdio.h>

static struct head head;

static bool dropped(const char *name) {
    const struct field *field = head_find_name(&head, slice_of(name));
    assert_non_null(field);
    return field->drop;
}

static void marks_hops(void **state) {
    (void)state;
    message_must_read(
        SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: close, X-Secret,\r\nX-Secret: 1\r\nx-SECRET: 2\r\n"
              "Connection: x-also\r\nX-Also: 3\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
              "Trailer: X\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
              "Proxy-Authorization: a\r\nProxy-Authenticate: b\r\nX-Stays: 4\r\nClose: 6\r\n\r\n"),
        &head);
    hop_mark_request(&head, false);
    for (size_t i = 0; i < head.field_count; i++) {
        struct slice name = head.fields[i].name;
        bool stays = slice_equal(name, SLICE("Host")) || slice_equal(name, SLICE("X-Stays")) ||
                     slice_equal(name, SLICE("Close"));
        if (head.fields[i].drop == stays)
            fail_msg("%.*s", (int)name.len, name.at);
    }
}

static void connection_cannot_name_all(void **state) {
    (void)state;
    message_must_read(
        SLICE("POST / HTTP/1.1\r\nHost: h\r\nConnection: host, content-length, x-forwarded-for, via, cookie,"
              " authorization, content-type, x-request-id, traceparent\r\nContent-Length: 5\r\n"
              "X-Forwarded-For: 1\r\nVia: 2\r\nCookie: a=b\r\nAuthorization: c\r\nContent-Type: d\r\n"
              "X-Request-Id: e\r\ntraceparent: f\r\n\r\n"),
        &head);
    hop_mark_request(&head, true);
    for (size_t i = 0; i < head.field_count; i++)
        assert_int_equal(head.fields[i].drop, head.fields[i].id == FIELD_CONNECTION);
}

// Fields that are called like an option stay where it is only an option; others of its length go.
static void usual_options_name_no_field(void **state) {
    (void)state;
    static const struct {
        const char *option, *field;
        bool goes;
    } cases[] = {
        {"upgrade", "Upgrade2", false},   {"Upgrade", "UpgradeX", false},     {"X-Seven", "X-Seven", true},
        {"close", "Close", false},        {"CLOSE", "Close", false},          {"X-Fiv", "x-fiv", true},
        {"keep-alive", "X-Stays", false}, {"X-Ten-Byte", "x-ten-byte", true}, {"", "X-Stays", false},
        {" , ,", "X-Stays", false},       {"close,X-Seven", "X-Seven", true}, {"X-Seve", "X-Seven", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[256];
        int len =
            snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: h\r\nConnection: %s\r\n%s: v\r\n\r\n",
                     cases[i].option, cases[i].field);
        message_must_read(slice_make(bytes, (size_t)len), &head);
        hop_mark_request(&head, true);
        if (dropped(cases[i].field) != cases[i].goes)
            fail_msg("Connection: %s and %s", cases[i].option, cases[i].field);
    }
}

static void removes_spoofed_fields(void **state) {
    (void)state;
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: h\r\nX-Sluice-Variant: a\r\nx_sluice-Route: b\r\n"
                                "X-Forwarded-For: c\r\nX-Forwarded-Port: d\r\nX_Forwarded_For: e\r\n"
                                "Forwarded: f\r\nVia: g\r\n\r\n";
    message_must_read(slice_make(bytes, sizeof bytes - 1), &head);
    hop_mark_request(&head, false);
    static const char *const all[] = {"X-Sluice-Variant", "x_sluice-route",  "X-Forwarded-For",
                                      "X-Forwarded-Port", "X_Forwarded_For", "Forwarded"};
    for (size_t i = 0; i < 6; i++)
        assert_true(dropped(all[i]));
    assert_false(dropped("Via"));
    message_must_read(slice_make(bytes, sizeof bytes - 1), &head);
    hop_mark_request(&head, true);
    assert_true(dropped("X-Sluice-Variant"));
    assert_true(dropped("x_sluice-Route"));
    assert_true(dropped("X_Forwarded_For")); // its twin is what a trusted peer sends
    assert_false(dropped("X-Forwarded-For"));
    assert_false(dropped("X-Forwarded-Port"));
    assert_false(dropped("Forwarded"));
}

static void removes_twins_of_framing(void **state) {
    (void)state;
    static const char bytes[] =
        "POST / HTTP/1.1\r\nHost: h\r\nContent_Length: 9\r\ntransfer_ENCODING: chunked\r\n"
        "Content_Lengths: a\r\nContent_Lengt: b\r\n"
        "X_Transfer_Encoding: c\r\nMy_Field: d\r\nContent-Length: 5\r\n\r\n";
    message_must_read(slice_make(bytes, sizeof bytes - 1), &head);
    hop_mark_request(&head, true);
    static const char *const twins[] = {"Content_Length", "Transfer_Encoding"};
    for (size_t i = 0; i < 2; i++)
        assert_true(dropped(twins[i]));
    static const char *const others[] = {"Content_Lengths", "Content_Lengt", "X_Transfer_Encoding",
                                         "My_Field", "Content-Length"};
    for (size_t i = 0; i < 5; i++)
        assert_false(dropped(others[i]));
}

static void marks_responses(void **state) {
    (void)state;
    enum reject reject;
    struct slice bytes =
        SLICE("HTTP/1.1 200 OK\r\nConnection: set-cookie, x-a\r\nSet-Cookie: s=1\r\nX-A: b\r\n"
              "X-Sluice-Variant: fake\r\nContent-Length: 3\r\n\r\n");
    assert_int_equal(head_read_response(bytes, &message_limits, &head, &reject), HEAD_COMPLETE);
    hop_mark_response(&head);
    assert_true(dropped("X-A"));
    assert_true(dropped("X-Sluice-Variant"));
    assert_false(dropped("Set-Cookie"));
    assert_false(dropped("Content-Length"));
    bytes = SLICE("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\nX: y\r\n\r\n");
    assert_int_equal(head_read_response(bytes, &message_limits, &head, &reject), HEAD_COMPLETE);
    hop_mark_response(&head);
    assert_true(dropped("Content-Length"));
    assert_false(dropped("X"));
}

int test_hop(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_hops),
        cmocka_unit_test(connection_cannot_name_all),
        cmocka_unit_test(usual_options_name_no_field),
        cmocka_unit_test(removes_spoofed_fields),
        cmocka_unit_test(removes_twins_of_framing),
        cmocka_unit_test(marks_responses),
    };
    return cmocka_run_group_tests_name("hop", tests, NULL, NULL);
}

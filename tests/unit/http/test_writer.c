#include "http/hop.h"
#include "http/writer.h"
#include "message.h"
#include "unit.h"

static struct head head;

static void writes_start_lines(void **state) {
    (void)state;
    struct strbuf out = {0};
    write_request_line(&out, SLICE("GET"), SLICE("/a?b"));
    write_status_line(&out, 200, SLICE(""));
    write_status_line(&out, 404, SLICE("Gone Fishing"));
    write_status_line(&out, 599, SLICE(""));
    assert_string_equal(strbuf_text(&out),
                        "GET /a?b HTTP/1.1\r\nHTTP/1.1 200 OK\r\nHTTP/1.1 404 Gone Fishing\r\n"
                        "HTTP/1.1 599 \r\n");
    strbuf_free(&out);
}

static void knows_reasons(void **state) {
    (void)state;
    assert_string_equal(status_reason(100), "Continue");
    assert_string_equal(status_reason(503), "Service Unavailable");
    assert_string_equal(status_reason(299), "");
    assert_string_equal(status_reason(0), "");
    assert_string_equal(status_reason(100000), "");
}

static void writes_what_is_kept(void **state) {
    (void)state;
    struct strbuf out = {0};
    message_must_read(SLICE("GET / HTTP/1.1\r\nhost:h\r\nConnection: close\r\nX-A:  spaced \t\r\nX-Empty:\r\n"
                            "Content-Length: 007\r\nX-A: again\r\n\r\n"),
                      &head);
    hop_mark_request(&head, false);
    write_kept_fields(&out, &head);
    write_field(&out, SLICE("Via"), SLICE("1.1 x"));
    assert_string_equal(
        strbuf_text(&out),
        "host: h\r\nX-A: spaced\r\nX-Empty: \r\nContent-Length: 7\r\nX-A: again\r\nVia: 1.1 x\r\n");
    strbuf_free(&out);
}

int test_writer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_start_lines),
        cmocka_unit_test(knows_reasons),
        cmocka_unit_test(writes_what_is_kept),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}

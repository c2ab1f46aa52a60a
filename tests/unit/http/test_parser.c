#include "http/parser.h"
#include "message.h"
#include "unit.h"
#include <stdio.h>

static struct head head;
static struct framing framing;

// A build without LLHTTP_STRICT_MODE takes the bytes of CVE-2023-30589 for a Transfer-Encoding field.
static void built_strictly(void **state) {
    (void)state;
    assert_true(parser_is_strict());
}

static void notices_another_framing(void **state) {
    (void)state;
    struct slice bytes = SLICE("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(message_request(bytes, &head, &framing), REJECT_NONE);
    struct framing other = framing;
    other.length = 6;
    assert_false(parser_agrees_on_request(bytes, &head, &other));
    other.kind = BODY_NONE;
    assert_false(parser_agrees_on_request(bytes, &head, &other));
    other.kind = BODY_CHUNKED;
    assert_false(parser_agrees_on_request(bytes, &head, &other));
    head.minor = 0;
    assert_false(parser_agrees_on_request(bytes, &head, &framing));

    bytes = SLICE("HTTP/1.1 200 OK\r\n\r\n");
    assert_int_equal(message_response(bytes, false, &head, &framing), REJECT_NONE);
    assert_true(parser_agrees_on_response(bytes, &head, &framing, false));
    other = framing;
    other.kind = BODY_NONE;
    assert_false(parser_agrees_on_response(bytes, &head, &other, false));
    head.status = 201;
    assert_false(parser_agrees_on_response(bytes, &head, &framing, false));
}

// The length of a head is what we said it is: an end that llhttp sees earlier, or not at all, is a
// disagreement.
static void notices_another_end(void **state) {
    (void)state;
    struct slice bytes = SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert_int_equal(message_request(bytes, &head, &framing), REJECT_NONE);
    size_t right = head.bytes;
    head.bytes = bytes.len;
    assert_false(parser_agrees_on_request(bytes, &head, &framing));
    head.bytes = right - 2;
    assert_false(parser_agrees_on_request(bytes, &head, &framing));
    head.bytes = right;
    assert_true(parser_agrees_on_request(bytes, &head, &framing));
}

// llhttp reads the bytes, not our head: a coding that our reader is made to overlook is noticed.
static void is_a_second_opinion(void **state) {
    (void)state;
    static char bytes[] = "POST / HTTP/1.1\r\nHost: h\r\nX-ransfer-Encoding: chunked\r\n\r\n";
    struct slice whole = slice_make(bytes, sizeof bytes - 1);
    assert_int_equal(message_request(whole, &head, &framing), REJECT_NONE);
    assert_int_equal(framing.kind, BODY_NONE);
    assert_true(parser_agrees_on_request(whole, &head, &framing));
    // One byte from the name to the value before it: the same length, the same head struct.
    char *host = strstr(bytes, "Host: h\r\nX-ransfer-Encoding");
    assert_non_null(host);
    memcpy(host, "Host: hi\r\nTransfer-Encoding", strlen("Host: hi\r\nTransfer-Encoding"));
    assert_false(parser_agrees_on_request(whole, &head, &framing));
}

static void accepts_every_printable_target(void **state) {
    (void)state;
    for (int c = 0x21; c < 0x7f; c++) {
        char text[64];
        if (c == '#')
            continue;
        int len = snprintf(text, sizeof text, "GET /a%cb?c%cd HTTP/1.1\r\nHost: h\r\n\r\n", c, c);
        if (message_request(slice_make(text, (size_t)len), &head, &framing) != REJECT_NONE)
            fail_msg("target with %c", c);
    }
}

int test_parser(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_strictly),
        cmocka_unit_test(notices_another_framing),
        cmocka_unit_test(notices_another_end),
        cmocka_unit_test(is_a_second_opinion),
        cmocka_unit_test(accepts_every_printable_target),
    };
    return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}

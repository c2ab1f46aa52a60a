#include "base/strbuf.h"
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

// ---- llhttp is not asked about plain heads: it would agree about every one of them

static uint64_t dice = 1;

static size_t throw_dice(size_t sides) {
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(dice >> 33) % sides;
}

#define ONE_OF(list) ((list)[throw_dice(sizeof(list) / sizeof *(list))])

// A line of a head: mostly a field that frames something or looks like it, spelled and spaced in every way.
static void random_line(struct strbuf *out) {
    static const char *const names[] = {
        "Content-Length",
        "content-length",
        "Content_Length",
        "Content-Lengt",
        "Connection",
        "CONNECTION",
        "Keep-Alive",
        "Proxy-Connection",
        "Transfer-Encoding",
        "Transfer-Encodin",
        "Upgrade",
        "Expect",
        "TE",
        "Trailer",
        "HTTP2-Settings",
        "X-Any",
        "!#$%&'*+.^_`|~9aZ-",
        "Accept",
    };
    static const char *const values[] = {
        "0",
        "5",
        "17",
        "007",
        "18446744073709551615",
        "9223372036854775807",
        "5, 5",
        "-1",
        "close",
        "Close",
        "keep-alive",
        "close, keep-alive",
        "upgrade",
        "te",
        "chunked",
        "Chunked",
        "",
        "h2c",
        "websocket",
        "100-continue",
        "\x80\xff\t x",
        "a\tb",
        "gzip",
        "close,",
    };
    static const char *const before[] = {"", " ", " ", " ", "\t", "  ", " \t "};
    static const char *const after[] = {"", "", "", " ", "\t"};
    strbuf_string(out, ONE_OF(names));
    strbuf_char(out, ':');
    strbuf_string(out, ONE_OF(before));
    strbuf_string(out, ONE_OF(values));
    strbuf_string(out, ONE_OF(after));
    strbuf_literal(out, "\r\n");
}

static void random_head(struct strbuf *out, bool request) {
    static const char *const methods[] = {"GET",     "PUT", "POST", "HEAD",   "DELETE",  "PATCH",
                                          "OPTIONS", "GE",  "PRI",  "SOURCE", "M-SEARCH"};
    static const char *const targets[] = {"/", "/v1/chat/completions?x=%20", "*", "http://h/",
                                          "/a:b@c;[]^|~\\{}\"<>`"};
    static const char *const statuses[] = {"200", "200", "204", "206", "304",
                                           "404", "500", "101", "100", "599"};
    static const char *const versions[] = {"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"};
    strbuf_clear(out);
    if (request)
        strbuf_format(out, "%s %s %s\r\nHost: h\r\n", ONE_OF(methods), ONE_OF(targets), ONE_OF(versions));
    else
        strbuf_format(out, "%s %s%s\r\n", ONE_OF(versions), ONE_OF(statuses),
                      throw_dice(3) ? " OK \xe4" : "");
    for (size_t lines = throw_dice(5); lines > 0; lines--)
        random_line(out);
    for (size_t spoilt = throw_dice(8); spoilt > 6; spoilt--) // a byte here and there is any other
        out->at[throw_dice(out->len)] = (char)throw_dice(256);
    strbuf_literal(out, "\r\n");
}

static void agrees_about_every_plain_head(void **state) {
    (void)state;
    struct strbuf bytes = {0};
    enum reject reject;
    size_t plain[2] = {0, 0};
    for (int i = 0; i < 200000; i++) {
        bool request = i % 2, to_head = !throw_dice(4), agrees;
        random_head(&bytes, request);
        struct slice all = strbuf_as_slice(&bytes);
        if ((request ? head_read_request(all, &message_limits, &head, &reject)
                     : head_read_response(all, &message_limits, &head, &reject)) != HEAD_COMPLETE ||
            (request ? framing_of_request(&head, &framing) : framing_of_response(&head, to_head, &framing)) !=
                REJECT_NONE ||
            !framing.plain)
            continue;
        agrees = request ? parser_agrees_on_request(all, &head, &framing)
                         : parser_agrees_on_response(all, &head, &framing, to_head);
        if (!agrees)
            fail_msg("llhttp reads this otherwise: %.*s", (int)all.len, all.at);
        plain[request]++;
    }
    assert_true(plain[0] > 20000 && plain[1] > 10000); // or the dice say nothing
    strbuf_free(&bytes);
}

// What two readers could take for different framings is never plain.
static void asks_where_readers_may_differ(void **state) {
    (void)state;
    static const char *const lines[] = {
        "Transfer-Encoding: chunked",
        "Connection: close, keep-alive",
        "Connection: te",
        "Connection: upgrade\r\nUpgrade: websocket",
        "Upgrade: websocket",
        "Expect: 100-continue\r\nContent-Length: 1",
        "Content_Length: 5",
        "Transfer_Encoding: chunked",
    };
    char text[256];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int len = snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", lines[i]);
        assert_int_equal(message_request(slice_make(text, (size_t)len), &head, &framing), REJECT_NONE);
        assert_false(framing.plain);
        len = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", lines[i]);
        assert_int_equal(message_response(slice_make(text, (size_t)len), false, &head, &framing),
                         REJECT_NONE);
        assert_false(framing.plain);
    }
    assert_int_equal(message_request(SLICE("PATCH / HTTP/1.1\r\nHost: h\r\n\r\n"), &head, &framing),
                     REJECT_NONE);
    assert_false(framing.plain);
    assert_int_equal(
        message_request(
            SLICE("POST / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\n"), &head,
            &framing),
        REJECT_NONE);
    assert_true(framing.plain);
}

int test_parser(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_strictly),
        cmocka_unit_test(notices_another_framing),
        cmocka_unit_test(notices_another_end),
        cmocka_unit_test(is_a_second_opinion),
        cmocka_unit_test(accepts_every_printable_target),
        cmocka_unit_test(agrees_about_every_plain_head),
        cmocka_unit_test(asks_where_readers_may_differ),
    };
    return cmocka_run_group_tests_name("parser", tests, NULL, NULL);
}

// Whole heads with the verdict each must get, however they are cut: what a smuggler would send, and what
// honest clients and servers send that a careless check would refuse.
#include "message.h"
#include "unit.h"

struct sample {
    struct slice bytes;
    enum reject reject; // REJECT_NONE: accepted
};
#define H "Host: a.example\r\n"
#define IN(reject, literal) \
    { {literal, sizeof(literal) - 1}, reject }
#define GET(reject, fields)  IN(reject, "GET /t HTTP/1.1\r\n" fields "\r\n")
#define POST(reject, fields) IN(reject, "POST /t HTTP/1.1\r\n" H fields "\r\n")
#define OK(reject, fields)   IN(reject, "HTTP/1.1 200 OK\r\n" fields "\r\n")

static const struct sample requests[] = {
    // start line
    IN(REJECT_NONE, "GET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET / HTTP/1.0\r\n\r\n"),
    IN(REJECT_NONE, "\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BARE_LF, "\nGET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BARE_CR, "\rGET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BARE_LF, "GET / HTTP/1.1\n" H "\n"),
    IN(REJECT_BARE_CR, "GET / HTTP/1.1\r" H "\r\n"),
    IN(REJECT_BARE_CR, "GET / HTTP/1.1\r\r\n" H "\r\n"),
    IN(REJECT_BAD_METHOD, " GET / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_METHOD, "GET\t/\tHTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET  / HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /  HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET / HTTP/1.1 \r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /a b HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t\r\n" H "\r\n"),
    IN(REJECT_BARE_LF, "GET /t\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET\r\n" H "\r\n"),
    IN(REJECT_BAD_VERSION, "GET /t HTTP/0.9\r\n" H "\r\n"),
    IN(REJECT_BAD_VERSION, "GET /t HTTP/1.2\r\n" H "\r\n"),
    IN(REJECT_BAD_VERSION, "GET /t HTTP/9.9\r\n" H "\r\n"),
    IN(REJECT_BAD_VERSION, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t HTTP/1.32\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t HTTP/1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t HTTP/01.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t http/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "GET /t RTSP/1.0\r\n" H "\r\n"),
    IN(REJECT_BAD_START_LINE, "SOURCE /t ICE/1.0\r\n" H "\r\n"),
    IN(REJECT_BAD_METHOD, "\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    // methods
    IN(REJECT_NONE, "QUERY /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "X-~custom! /t HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc"),
    IN(REJECT_NONE, "PLAY /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "SOURCE /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "PRI /t HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
    IN(REJECT_BAD_METHOD, "get /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_METHOD, "Connect a:1 HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_METHOD, "G@T /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_CONNECT, "CONNECT a.example:443 HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_CONNECT, "CONNECT /t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_TRACE, "TRACE /t HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello"),
    // targets
    IN(REJECT_NONE, "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET //evil.example/a HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET /a%zz|{}\"<>\\^`[] HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET http://b.example/t?q HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET HTTPS://b.example:8443 HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_NONE, "GET http://[::1]:80/t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET * HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "OPTIONS ** HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET a.example:80 HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET ?q HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET /a#f HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET /a\x7f HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET /a\x0b HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BARE_CR, "GET /a\rb HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http://u:p@b.example/t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http:///t HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http://b.example:99999/ HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http://b.example?q HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http:/b.example/ HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET ftp://b.example/ HTTP/1.1\r\n" H "\r\n"),
    IN(REJECT_BAD_TARGET, "GET http://b.example,c/ HTTP/1.1\r\n" H "\r\n"),
    // Host
    GET(REJECT_NONE, "Host: a.example:8080\r\n"),
    GET(REJECT_NONE, "Host: a.example:\r\n"),
    GET(REJECT_NONE, "hOST:[2001:db8::1]:443\r\n"),
    GET(REJECT_NONE, "Host: a_b-c.%41x\r\n"),
    GET(REJECT_BAD_HOST, "X: y\r\n"),
    GET(REJECT_BAD_HOST, "Host:\r\n"),
    GET(REJECT_BAD_HOST, H H),
    GET(REJECT_BAD_HOST, H "X: y\r\nhost: b.example\r\n"),
    GET(REJECT_BAD_HOST, "Host: a b\r\n"),
    GET(REJECT_BAD_HOST, "Host: u@a.example\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example/x\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example?x\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example, b.example\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example,b.example\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example:80a\r\n"),
    GET(REJECT_BAD_HOST, "Host: a.example:65536\r\n"),
    GET(REJECT_BAD_HOST, "Host: a:1:2\r\n"),
    GET(REJECT_BAD_HOST, "Host: :80\r\n"),
    GET(REJECT_BAD_HOST, "Host: [::1\r\n"),
    GET(REJECT_BAD_HOST, "Host: [::1]x\r\n"),
    GET(REJECT_BAD_HOST, "Host: [1.2.3.4]\r\n"),
    GET(REJECT_BAD_HOST, "Host: []\r\n"),
    GET(REJECT_BAD_HOST, "Host: a%4\r\n"),
    GET(REJECT_BAD_HOST, "Host: \xc3\xa4.example\r\n"),
    GET(REJECT_BAD_HOST, "Host: http://a.example\r\n"),
    IN(REJECT_BAD_HOST, "GET / HTTP/1.0\r\n" H H "\r\n"),
    IN(REJECT_BAD_HOST, "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"),
    IN(REJECT_BAD_HOST, "GET http://b.example/ HTTP/1.1\r\n\r\n"),
    // lines, names, values
    GET(REJECT_FOLDED_FIELD, " X: y\r\n" H),
    GET(REJECT_FOLDED_FIELD, H "X: y\r\n z\r\n"),
    GET(REJECT_FOLDED_FIELD, H "X: y\r\n\tz\r\n"),
    GET(REJECT_FOLDED_FIELD, H "X: y\r\n \r\n"),
    GET(REJECT_FOLDED_FIELD, "Host:\r\n a.example\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Foo Bar: x\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Foo : x\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Foo\t: x\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H ": x\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "NoColon\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Foo\0: x\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Foo(x): y\r\n"),
    GET(REJECT_BAD_FIELD_NAME, H "Content-Length\x85: 5\r\n"),
    GET(REJECT_BAD_FIELD_VALUE, H "X: a\0b\r\n"),
    GET(REJECT_BAD_FIELD_VALUE, H "X: a\x1b\r\n"),
    GET(REJECT_BAD_FIELD_VALUE, H "X: a\x7f\r\n"),
    GET(REJECT_BARE_CR, H "X: a\rb\r\n"),
    GET(REJECT_BARE_CR, H "X:\rxTransfer-Encoding: chunked\r\n"),
    GET(REJECT_BARE_CR, H "X: a\r\rContent-Length: 5\r\n"),
    GET(REJECT_BARE_CR, H "X: b\r\n\rZ: c\r\n"),
    GET(REJECT_BARE_LF, H "X: a\nY: b\r\n"),
    GET(REJECT_BARE_LF, H "X\nY: b\r\n"),
    IN(REJECT_BARE_LF, "GET / HTTP/1.1\r\n" H "\n"),
    GET(REJECT_NONE, H "X:\r\nY: \r\nZ:\t\t\r\n!#$%&'*+-.^_`|~: \xff\r\n"),
    // framing
    POST(REJECT_NONE, "Content-Length: 0\r\n"),
    POST(REJECT_NONE, "Content-Length: \t5 \t\r\n"),
    POST(REJECT_NONE, "Content-Length:5\r\n"),
    POST(REJECT_NONE, "Content-Length: 0005\r\n"),
    POST(REJECT_NONE, "Content-Length: 9223372036854775807\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 9223372036854775808\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 18446744073709551621\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 999999999999999999999999999999\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length:\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: +5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: -5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 0x5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5 5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5, 5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5;a\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 1_0\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5.0\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5\xa0\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5\r\nContent-Length: 6\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length: 5\r\ncontent-length: 5\r\n"),
    POST(REJECT_BAD_LENGTH, "Content-Length:\r\nContent-Length: 43\r\n"),
    POST(REJECT_NONE, "Transfer-Encoding: chunked\r\n"),
    POST(REJECT_NONE, "Transfer-Encoding:\tChunked\r\n"),
    POST(REJECT_NONE, "transfer-encoding:chunked\t\r\n"),
    POST(REJECT_LENGTH_AND_CODING, "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"),
    POST(REJECT_LENGTH_AND_CODING, "Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n"),
    POST(REJECT_LENGTH_AND_CODING, "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n"),
    POST(REJECT_UNKNOWN_CODING, "Transfer-Encoding: xchunked\r\n"),
    POST(REJECT_UNKNOWN_CODING, "Transfer-Encoding: identity\r\n"),
    POST(REJECT_UNKNOWN_CODING, "Transfer-Encoding: gzip, chunked\r\n"),
    POST(REJECT_UNKNOWN_CODING, "Transfer-Encoding: gzip;l=9, chunked\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked, gzip\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked, chunked\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: ,chunked\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked,\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding:\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked;q=1\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: \"chunked\"\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: chunked x\r\n"),
    POST(REJECT_BAD_CODING, "Transfer-Encoding: gzip, deflate\r\n"),
    POST(REJECT_FOLDED_FIELD, "Transfer-Encoding: chu\r\n nked\r\n"),
    POST(REJECT_FOLDED_FIELD, "Content-Length:\r\n 5\r\n"),
    POST(REJECT_BAD_FIELD_NAME, "Transfer-Encoding : chunked\r\n"),
    POST(REJECT_BAD_FIELD_VALUE, "Transfer-Encoding: chunked\0\r\n"),
    POST(REJECT_BAD_FIELD_VALUE, "Transfer-Encoding: \x0b"
                                 "chunked\r\n"),
    IN(REJECT_BAD_CODING, "POST /t HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"),
    POST(REJECT_NONE, "TE: chunked\r\nContent-Length: 5\r\n"),
    POST(REJECT_UNKNOWN_CODING, "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: gzip\r\n"),
    POST(REJECT_NONE, "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n"),
    POST(REJECT_NONE, "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
    POST(REJECT_NONE, "Connection: Content-Length\r\nContent-Length: 5\r\n"),
    POST(REJECT_NONE, "Connection: ,, close , \r\nContent-Length: 5\r\n"),
    POST(REJECT_NONE, "Expect: 100-Continue\r\nContent-Length: 5\r\n"),
    POST(REJECT_EXPECTATION, "Expect: 200-ok\r\nContent-Length: 5\r\n"),
    POST(REJECT_EXPECTATION, "Expect: 100-continue, magic\r\nContent-Length: 5\r\n"),
    POST(REJECT_EXPECTATION, "Expect:\r\nContent-Length: 5\r\n"),
};

static const struct sample responses[] = {
    OK(REJECT_NONE, "Content-Length: 5\r\n"),
    OK(REJECT_NONE, ""),
    OK(REJECT_NONE, "Transfer-Encoding: chunked\r\n"),
    OK(REJECT_NONE, "Transfer-Encoding: chunked\t\r\n"),
    OK(REJECT_NONE, "Content-Length:\t05 \r\n"),
    OK(REJECT_NONE, "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n"),
    IN(REJECT_NONE, "HTTP/1.0 200 OK\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 404 \xe4\tx\r\nContent-Length: 0\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nEVIL"),
    IN(REJECT_NONE, "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"),
    IN(REJECT_NONE, "HTTP/1.1 599 x\r\nContent-Length: 0\r\n\r\n"),
    OK(REJECT_LENGTH_AND_CODING, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    OK(REJECT_BAD_LENGTH, "Content-Length: -5\r\n"),
    OK(REJECT_BAD_LENGTH, "Content-Length: 5\r\nContent-Length: 5\r\n"),
    OK(REJECT_BAD_LENGTH, "Content-Length: 5, 6\r\n"),
    OK(REJECT_BAD_LENGTH, "Content-Length:\r\n"),
    OK(REJECT_UNKNOWN_CODING, "Transfer-Encoding: xchunked\r\n"),
    OK(REJECT_BAD_CODING, "Transfer-Encoding: chunked, chunked\r\n"),
    OK(REJECT_BAD_CODING, "Transfer-Encoding:\r\n"),
    IN(REJECT_BAD_CODING, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    IN(REJECT_BAD_LENGTH, "HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 099 X\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 600 X\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 2 OK\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 2000 OK\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 200OK\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1  200 OK\r\n\r\n"),
    IN(REJECT_BAD_STATUS, "HTTP/1.1 +20 OK\r\n\r\n"),
    IN(REJECT_BAD_START_LINE, "HTTP/1.1\t200 OK\r\n\r\n"),
    IN(REJECT_BAD_START_LINE, "HTTP/1.1 200 O\0K\r\n\r\n"),
    IN(REJECT_BAD_START_LINE, "\r\nHTTP/1.1 200 OK\r\n\r\n"),
    IN(REJECT_BAD_START_LINE, "<html>hello</html>"),
    IN(REJECT_BAD_START_LINE, "ICY 200 OK\r\n\r\n"),
    IN(REJECT_BAD_VERSION, "HTTP/2.0 200 OK\r\n\r\n"),
    IN(REJECT_BAD_VERSION, "HTTP/1.2 200 OK\r\n\r\n"),
    IN(REJECT_BARE_LF, "HTTP/1.1 200 OK\nContent-Length: 5\n\n"),
    IN(REJECT_BARE_CR, "HTTP/1.1 200 O\rK\r\n\r\n"),
    IN(REJECT_BARE_CR, "HTTP/1.1 200 OK\r\nX-A: a\rSet-Cookie: x=1\r\n\r\n"),
    OK(REJECT_BAD_FIELD_NAME, "Content-Length : 5\r\n"),
    OK(REJECT_FOLDED_FIELD, "X: a\r\n b\r\n"),
    OK(REJECT_BARE_CR, "X-Abc:\rxTransfer-Encoding: chunked\r\n"),
};

static struct head head, again;
static struct framing framing;

static void assert_verdict(const struct sample *sample, enum reject got) {
    if (got != sample->reject)
        fail_msg("%s instead of %s: %.*s", reject_name(got), reject_name(sample->reject),
                 (int)sample->bytes.len, sample->bytes.at);
}

// The scanner's part of the verdict must come out the same byte by byte, and a head must end at its own last
// byte.
static void assert_same_when_dripped(const struct sample *sample, bool request) {
    enum reject whole, dripped;
    size_t length;
    enum head_result once = request ? head_read_request(sample->bytes, &message_limits, &head, &whole)
                                    : head_read_response(sample->bytes, &message_limits, &head, &whole);
    if (message_drip(sample->bytes, request, &again, &dripped, &length) != once || whole != dripped)
        fail_msg("%s when dripped: %.*s", reject_name(dripped), (int)sample->bytes.len, sample->bytes.at);
    if (once == HEAD_COMPLETE) {
        assert_int_equal(length, head.bytes);
        assert_int_equal(again.field_count, head.field_count);
    }
}

static void judges_requests(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        assert_verdict(&requests[i], message_request(requests[i].bytes, &head, &framing));
        assert_same_when_dripped(&requests[i], true);
    }
}

static void judges_responses(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        assert_verdict(&responses[i], message_response(responses[i].bytes, false, &head, &framing));
        assert_same_when_dripped(&responses[i], false);
    }
}

int test_corpus(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(judges_requests), cmocka_unit_test(judges_responses)};
    return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}

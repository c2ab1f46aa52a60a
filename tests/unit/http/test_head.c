#include "message.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

static struct head head;

static void reads_the_parts(void **state) {
    (void)state;
    struct slice bytes = SLICE("POST /a?b=c HTTP/1.1\r\nHost: h:80\r\nX-Empty:\r\nX-Tabs:\t a\tb \t\r\n"
                               "x-latin: \xe4\xff\r\ncontent-LENGTH: 0042\r\n\r\nbody");
    message_must_read(bytes, &head);
    assert_int_equal(head.bytes, bytes.len - 4);
    assert_true(slice_equal(head.method, SLICE("POST")));
    assert_true(slice_equal(head.target, SLICE("/a?b=c")));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.field_count, 5);
    assert_true(slice_equal(head.fields[1].value, SLICE("")));
    assert_true(slice_equal(head.fields[2].value, SLICE("a\tb")));
    assert_true(slice_equal(head.fields[3].value, SLICE("\xe4\xff")));
    assert_int_equal(head.fields[4].id, FIELD_CONTENT_LENGTH);
    assert_true(slice_equal(head.fields[4].value, SLICE("42"))); // octal to nobody
    assert_ptr_equal(head_find(&head, FIELD_HOST), &head.fields[0]);
    assert_null(head_find(&head, FIELD_COOKIE));
    assert_ptr_equal(head_find_name(&head, SLICE("X-LATIN")), &head.fields[3]);
    assert_null(head_find_name(&head, SLICE("X-Lati")));
}

static void reads_a_response(void **state) {
    (void)state;
    enum reject reject;
    struct slice bytes = SLICE("HTTP/1.0 404 Not \xe4 Found\r\nA: b\r\n\r\n");
    assert_int_equal(head_read_response(bytes, &message_limits, &head, &reject), HEAD_COMPLETE);
    assert_int_equal(head.status, 404);
    assert_int_equal(head.minor, 0);
    assert_true(slice_equal(head.reason, SLICE("Not \xe4 Found")));
    assert_int_equal(head.bytes, bytes.len);
    bytes = SLICE("HTTP/1.1 200\r\n\r\n");
    assert_int_equal(head_read_response(bytes, &message_limits, &head, &reject), HEAD_COMPLETE);
    assert_int_equal(head.reason.len, 0);
    bytes = SLICE("HTTP/1.1 200 \r\n\r\n");
    assert_int_equal(head_read_response(bytes, &message_limits, &head, &reject), HEAD_COMPLETE);
    assert_int_equal(head.reason.len, 0);
}

static void finds_list_tokens(void **state) {
    (void)state;
    message_must_read(SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: a ,\tCLOSE\r\nConnection: ,te\r\n\r\n"),
                      &head);
    assert_true(head_has_token(&head, FIELD_CONNECTION, SLICE("close")));
    assert_true(head_has_token(&head, FIELD_CONNECTION, SLICE("TE")));
    assert_true(head_has_token(&head, FIELD_CONNECTION, SLICE("a")));
    assert_false(head_has_token(&head, FIELD_CONNECTION, SLICE("clos")));
    assert_false(head_has_token(&head, FIELD_UPGRADE, SLICE("close")));
}

static void identifies_fields(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum field_id id;
    } cases[] = {
        {"HoSt", FIELD_HOST},
        {"Connection", FIELD_CONNECTION},
        {"content-length", FIELD_CONTENT_LENGTH},
        {"TRANSFER-ENCODING", FIELD_TRANSFER_ENCODING},
        {"Content-Type", FIELD_CONTENT_TYPE},
        {"Content-Encoding", FIELD_CONTENT_ENCODING},
        {"Cookie", FIELD_COOKIE},
        {"Authorization", FIELD_AUTHORIZATION},
        {"Accept", FIELD_ACCEPT},
        {"Expect", FIELD_EXPECT},
        {"Upgrade", FIELD_UPGRADE},
        {"TE", FIELD_TE},
        {"Trailer", FIELD_TRAILER},
        {"Keep-Alive", FIELD_KEEP_ALIVE},
        {"Proxy-Connection", FIELD_PROXY_CONNECTION},
        {"Proxy-Authenticate", FIELD_PROXY_AUTHENTICATE},
        {"Proxy-Authorization", FIELD_PROXY_AUTHORIZATION},
        {"HTTP2-Settings", FIELD_HTTP2_SETTINGS},
        {"Via", FIELD_VIA},
        {"Forwarded", FIELD_FORWARDED},
        {"X-Forwarded-For", FIELD_X_FORWARDED_FOR},
        {"X-Forwarded-Proto", FIELD_X_FORWARDED_PROTO},
        {"X-Forwarded-Host", FIELD_X_FORWARDED_HOST},
        {"X-Request-Id", FIELD_X_REQUEST_ID},
        {"traceparent", FIELD_TRACEPARENT},
        {"User-Agent", FIELD_USER_AGENT},
        {"Retry-After", FIELD_RETRY_AFTER},
        {"Max-Forwards", FIELD_MAX_FORWARDS},
        // families, '_' and '-' alike
        {"X-Forwarded-Port", FIELD_X_FORWARDED_OTHER},
        {"X_Forwarded_For", FIELD_X_FORWARDED_OTHER},
        {"x-forwarded_host", FIELD_X_FORWARDED_OTHER},
        {"X-Forwarded", FIELD_X_FORWARDED_OTHER},
        {"X-Sluice-Variant", FIELD_X_SLUICE},
        {"x_SLUICE_route", FIELD_X_SLUICE},
        {"X-Sluice", FIELD_X_SLUICE},
        {"Content_Length", FIELD_FRAMING_TWIN},
        {"transfer_ENCODING", FIELD_FRAMING_TWIN},
        // near misses
        {"Content_Lengths", FIELD_OTHER},
        {"Hosts", FIELD_OTHER},
        {"Hos", FIELD_OTHER},
        {"H", FIELD_OTHER},
        {"X-Sluices", FIELD_OTHER},
        {"X-Forwardedness", FIELD_OTHER},
        {"Trailex", FIELD_OTHER},
        {"A-Name-Of-Nineteen-B", FIELD_OTHER},
        {"Some-Very-Long-Field-Name-Past-The-Table", FIELD_OTHER},
        {"", FIELD_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (field_identify(slice_of(cases[i].name)) != cases[i].id)
            fail_msg("%s: %d", cases[i].name, field_identify(slice_of(cases[i].name)));
}

// Every byte in every place: what may stand there, by the grammar and nothing else.
static enum reject with_byte(const char *before, int byte, const char *after) {
    char text[256];
    enum reject reject;
    size_t len = strlen(before);
    memcpy(text, before, len);
    text[len] = (char)byte;
    memcpy(text + len + 1, after, strlen(after));
    enum head_result result =
        head_read_request(slice_make(text, len + 1 + strlen(after)), &message_limits, &head, &reject);
    assert_int_not_equal(result, HEAD_PARTIAL);
    return result == HEAD_COMPLETE ? REJECT_NONE : reject;
}

static void every_byte_in_every_place(void **state) {
    (void)state;
    const char *token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *rest = " / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int c = 0; c < 256; c++) {
        bool is_token = c && strchr(token, c);
        bool is_value = c == '\t' || (c >= 0x20 && c != 0x7f);
        if (c != ' ')
            assert_int_equal(with_byte("XE", c, rest) == REJECT_NONE, is_token);
        if (c != ':')
            assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: h\r\nX", c, "y: z\r\n\r\n") == REJECT_NONE,
                             is_token);
        assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: h\r\nX: a", c, "b\r\n\r\n") == REJECT_NONE,
                         is_value);
        assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: h\r\nX: a long value, sixteen at once ", c,
                                   " and more after the byte in question\r\n\r\n") == REJECT_NONE,
                         is_value);
        assert_int_equal(with_byte("GET /a", c, "b HTTP/1.1\r\nHost: h\r\n\r\n") == REJECT_NONE,
                         c > 0x20 && c < 0x7f && c != '#');
        bool is_host = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c && strchr("-._~!$&'()*+;=", c));
        if (c != ':')
            assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: a", c, "b\r\n\r\n") == REJECT_NONE, is_host);
    }
}

static char *repeat(const char *before, char c, size_t count, const char *after, struct slice *bytes) {
    size_t head_len = strlen(before), tail = strlen(after);
    char *text = malloc(head_len + count + tail);
    assert_non_null(text);
    memcpy(text, before, head_len);
    memset(text + head_len, c, count);
    memcpy(text + head_len + count, after, tail);
    *bytes = slice_make(text, head_len + count + tail);
    return text;
}

static void limits_to_the_byte(void **state) {
    (void)state;
    struct slice bytes;
    enum reject reject;
    for (int over = 0; over < 2; over++) {
        char *text = repeat("GET /", 'a', 8191 + (size_t)over, " HTTP/1.1\r\nHost: h\r\n\r\n", &bytes);
        enum head_result want = over ? HEAD_REJECTED : HEAD_COMPLETE;
        assert_int_equal(head_read_request(bytes, &message_limits, &head, &reject), want);
        assert_int_equal(reject, over ? REJECT_TARGET_TOO_LONG : REJECT_NONE);
        free(text);
        const char before[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
        text = repeat(before, 'a', 32768 - strlen(before) - 4 + (size_t)over, "\r\n\r\n", &bytes);
        assert_int_equal(head_read_request(bytes, &message_limits, &head, &reject), want);
        assert_int_equal(reject, over ? REJECT_HEAD_TOO_LARGE : REJECT_NONE);
        free(text);
    }
    char *text = repeat("", 'M', 65, "", &bytes);
    assert_int_equal(head_read_request(bytes, &message_limits, &head, &reject), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_BAD_METHOD);
    free(text);
    text = repeat("GET /", 'a', 9000, "", &bytes); // refused before its end is seen
    assert_int_equal(head_read_request(bytes, &message_limits, &head, &reject), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_TARGET_TOO_LONG);
    free(text);
}

static void counts_fields(void **state) {
    (void)state;
    for (int fields = 100; fields <= 101; fields++) {
        char text[4096] = "GET / HTTP/1.1\r\nHost: h\r\n";
        size_t len = strlen(text);
        for (int i = 1; i < fields; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "X-%d: %d\r\n", i, i);
        len += (size_t)snprintf(text + len, sizeof text - len, "\r\n");
        enum reject reject;
        assert_int_equal(head_read_request(slice_make(text, len), &message_limits, &head, &reject),
                         fields == 100 ? HEAD_COMPLETE : HEAD_REJECTED);
        assert_int_equal(reject, fields == 100 ? REJECT_NONE : REJECT_TOO_MANY_FIELDS);
    }
}

// A head near the limit that arrives byte by byte: accepted at its last byte, and a fault in it is found
// although not every call scans all of it.
static void dribbles_long_heads(void **state) {
    (void)state;
    struct slice bytes;
    enum reject reject = REJECT_NONE;
    size_t length;
    char *text = repeat("GET / HTTP/1.1\r\nHost: h\r\nX: ", 'a', 30000, "\r\nY: b\r\n\r\n", &bytes);
    assert_int_equal(message_drip(bytes, true, &head, &reject, &length), HEAD_COMPLETE);
    assert_int_equal(length, bytes.len);
    assert_int_equal(head.field_count, 3);
    text[20000] = '\x01';
    assert_int_equal(message_drip(bytes, true, &head, &reject, &length), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_BAD_FIELD_VALUE);
    free(text);
    text = repeat("GET / HTTP/1.1\r\nHost: h\r\nX: ", 'a', 40000, "", &bytes);
    text[20000] = '\r'; // before the limit: named rather than the limit
    assert_int_equal(message_drip(bytes, true, &head, &reject, &length), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_BARE_CR);
    assert_int_equal(head_read_request(bytes, &message_limits, &head, &reject), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_BARE_CR);
    text[20000] = 'a';
    assert_int_equal(message_drip(bytes, true, &head, &reject, &length), HEAD_REJECTED);
    assert_int_equal(reject, REJECT_HEAD_TOO_LARGE);
    assert_int_equal(length, 32768);
    free(text);
}

static void hops_that_are_left(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool known;
        uint64_t hops;
    } cases[] = {
        {"", false, 0},
        {"Max-Forwards: 0\r\n", true, 0},
        {"max-forwards:  17 \r\n", true, 17},
        {"Max-Forwards: 18446744073709551615\r\n", true, UINT64_MAX},
        {"Max-Forwards: 18446744073709551616\r\n", false, 0},
        {"Max-Forwards: -1\r\n", false, 0},
        {"Max-Forwards: 1, 2\r\n", false, 0},
        {"Max-Forwards:\r\n", false, 0},
        {"Max_Forwards: 3\r\n", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[256];
        uint64_t hops = 0;
        int len = snprintf(bytes, sizeof bytes, "OPTIONS / HTTP/1.1\r\nHost: h\r\n%s\r\n", cases[i].line);
        message_must_read(slice_make(bytes, (size_t)len), &head);
        if (head_max_forwards(&head, &hops) != cases[i].known || (cases[i].known && hops != cases[i].hops))
            fail_msg("%s: %llu", cases[i].line, (unsigned long long)hops);
    }
}

static void refuses_early(void **state) {
    (void)state;
    static const char *const starts[] = {"\x16\x03\x01",
                                         "GET /t\r\n",
                                         "GET\t",
                                         "\n",
                                         "\r\r",
                                         "GET / HTTX",
                                         "GET / HTTP/2.0\r\n",
                                         "GET / HTTP/1.1\r\n ",
                                         "GET / HTTP/1.1\r\nA b"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        enum reject reject;
        assert_int_equal(head_read_request(slice_of(starts[i]), &message_limits, &head, &reject),
                         HEAD_REJECTED);
    }
}

int test_head(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_parts),
        cmocka_unit_test(reads_a_response),
        cmocka_unit_test(finds_list_tokens),
        cmocka_unit_test(identifies_fields),
        cmocka_unit_test(every_byte_in_every_place),
        cmocka_unit_test(limits_to_the_byte),
        cmocka_unit_test(counts_fields),
        cmocka_unit_test(dribbles_long_heads),
        cmocka_unit_test(hops_that_are_left),
        cmocka_unit_test(refuses_early),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}

#include "http/chunk.h"
#include "http/trailer.h"
#include "message.h"
#include "unit.h"

static void only_harmless_names_go_on(void **state) {
    (void)state;
    static const char *const allowed[] = {"X-Checksum", "Digest", "grpc-status", "Server-Timing", "X-T"};
    static const char *const refused[] = {
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Trailer",
        "TE",
        "Connection",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "Content-Type",
        "content-range",
        "Cache-Control",
        "If-Match",
        "Max-Forwards",
        "Expect",
        "X-Forwarded-For",
        "X-Sluice-Route",
        "x_sluice_route",
        "Forwarded",
        "Via",
        "Upgrade",
        "WWW-Authenticate",
        "Location",
        "Date",
        "X-Request-Id",
        "traceparent",
        "Baggage",
        "Keep-Alive",
        "Proxy-Authorization",
        "Range",
        "X_Checksum",
        "",
    };
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_true(trailer_allowed(slice_of(allowed[i])));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (trailer_allowed(slice_of(refused[i])))
            fail_msg("%s may go on", refused[i]);
}

static void the_last_chunk_is_written(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct slice section = SLICE("X-A: 1\r\nContent-Length: 99\r\nX-B:2 \r\nHost: evil\r\nX-C:\r\n");
    assert_true(trailer_write(section, SLICE_NONE, SLICE_NONE, &out));
    assert_string_equal(strbuf_text(&out), "0\r\nX-A: 1\r\nX-B: 2\r\nX-C: \r\n\r\n");
    strbuf_clear(&out);
    assert_true(trailer_write(section, SLICE("x-c , X-b"), SLICE_NONE, &out));
    assert_string_equal(strbuf_text(&out), "0\r\nX-B: 2\r\nX-C: \r\n\r\n");
    strbuf_clear(&out);
    assert_true(trailer_write(section, SLICE_NONE, SLICE(",X-a, close"), &out));
    assert_string_equal(strbuf_text(&out), "0\r\nX-B: 2\r\nX-C: \r\n\r\n");
    strbuf_clear(&out);
    assert_false(trailer_write(section, SLICE("Content-Length"), SLICE_NONE, &out));
    assert_int_equal(out.len, 0);
    assert_false(trailer_write(SLICE(""), SLICE_NONE, SLICE_NONE, &out));
    strbuf_free(&out);
}

// All lines of Connection, for trailer_write: what they name ends here.
static void what_ends_here_is_collected(void **state) {
    (void)state;
    struct strbuf ending = {0}, out = {0};
    struct head head;
    message_must_read(
        SLICE("GET / HTTP/1.1\r\nHost: h\r\nConnection: X-A, close\r\nX-B: 1\r\nconnection: x-c\r\n\r\n"),
        &head);
    trailer_ending(&head, &ending);
    assert_string_equal(strbuf_text(&ending), "X-A, close,x-c,");
    assert_true(
        trailer_write(SLICE("X-A: 1\r\nX-B: 2\r\nX-C: 3\r\n"), SLICE_NONE, strbuf_as_slice(&ending), &out));
    assert_string_equal(strbuf_text(&out), "0\r\nX-B: 2\r\n\r\n");
    strbuf_clear(&ending);
    message_must_read(SLICE("GET / HTTP/1.1\r\nHost: h\r\nX-B: 1\r\n\r\n"), &head);
    trailer_ending(&head, &ending);
    assert_int_equal(ending.len, 0);
    strbuf_free(&ending);
    strbuf_free(&out);
}

static void names_are_listed(void **state) {
    (void)state;
    struct strbuf out = {0};
    trailer_names(SLICE(" X-A,Content-Length , ,x-b"), SLICE_NONE, &out);
    trailer_names(SLICE("Host,X-C,X-D"), SLICE("close, x-d,"), &out);
    assert_string_equal(strbuf_text(&out), "X-A, x-b, X-C");
    strbuf_free(&out);
}

static void the_decoder_collects_them(void **state) {
    (void)state;
    const char *message = "3\r\nabc\r\n0;x\r\nX-A: 1\r\nX-B:2\r\n\r\nGET";
    for (size_t cut = 0; cut <= strlen(message); cut++) {
        struct chunk_decoder decoder;
        struct strbuf section = {0};
        char bytes[64];
        size_t data, used, len = strlen(message);
        enum reject reject;
        memcpy(bytes, message, len + 1);
        chunk_start(&decoder);
        decoder.trailers = &section;
        enum chunk_result result = chunk_decode(&decoder, bytes, cut, &data, &used, &reject);
        if (result == CHUNK_MORE)
            result = chunk_decode(&decoder, bytes + cut, len - cut, &data, &used, &reject);
        assert_int_equal(result, CHUNK_DONE);
        assert_string_equal(strbuf_text(&section), "X-A: 1\r\nX-B:2\r\n");
        strbuf_free(&section);
    }
}

static void no_more_than_a_hundred(void **state) {
    (void)state;
    struct strbuf section = {0}, out = {0};
    for (int i = 0; i < 150; i++)
        strbuf_format(&section, "X-%d: v\r\n", i);
    assert_true(trailer_write(strbuf_as_slice(&section), SLICE_NONE, SLICE_NONE, &out));
    assert_non_null(strstr(strbuf_text(&out), "X-99: v\r\n\r\n"));
    assert_null(strstr(strbuf_text(&out), "X-100:"));
    strbuf_free(&section);
    strbuf_free(&out);
}

int test_trailer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_harmless_names_go_on),   cmocka_unit_test(the_last_chunk_is_written),
        cmocka_unit_test(what_ends_here_is_collected), cmocka_unit_test(names_are_listed),
        cmocka_unit_test(the_decoder_collects_them),   cmocka_unit_test(no_more_than_a_hundred),
    };
    return cmocka_run_group_tests_name("trailer", tests, NULL, NULL);
}

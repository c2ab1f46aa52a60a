// What a stream that was asked for its tokens is without them: at any cut the same.
#include "base/mem.h"
#include "http/strip.h"
#include "unit.h"

#include <string.h>

static void feed(struct strip *strip, const char *at, size_t len, struct strbuf *out) {
    char *copy = mem_alloc(len ? len : 1);
    memcpy(copy, at, len);
    strip_feed(strip, slice_make(copy, len), out);
    mem_free(copy);
}

static void expect(const char *text, const char *expected) {
    size_t len = strlen(text);
    for (size_t cut = 0; cut <= len + 1; cut++) {
        struct strip strip = {0};
        struct strbuf out = {0};
        if (cut <= len) {
            feed(&strip, text, cut, &out);
            feed(&strip, text + cut, len - cut, &out);
        } else {
            for (size_t i = 0; i < len; i++)
                feed(&strip, text + i, 1, &out);
        }
        strip_end(&strip, &out);
        if (strcmp(strbuf_text(&out), expected) != 0)
            fail_msg("cut at %zu: %s instead of %s", cut, strbuf_text(&out), expected);
        strip_free(&strip);
        strbuf_free(&out);
    }
}

static void tokens_go_and_all_else_stays(void **state) {
    (void)state;
    expect("data: {\"a\":1}\n\ndata: {\"choices\":[],\"usage\":{\"x\":1}}\n\ndata: [DONE]\n\n",
           "data: {\"a\":1}\n\ndata: [DONE]\n\n");
    expect("data: {\"choices\":[{}],\"usage\":null}\n\n", "data: {\"choices\":[{}]}\n\n");
    expect("data: { \"usage\" : null , \"choices\" : [ 1 ] }\r\n\r\n",
           "data: { \"choices\" : [ 1 ] }\r\n\r\n");
    expect("data:{\"choices\": [ ] ,\"usage\":{}}\r\rdata:x\r\r", "data:x\r\r");
    expect("id: 7\nevent: e\ndata: {\"usage\":{},\"choices\":[0]}\nretry: 3\n\n",
           "id: 7\nevent: e\ndata: {\"choices\":[0]}\nretry: 3\n\n");
    // a first chunk without choices that has no tokens yet
    expect("data: {\"choices\":[],\"usage\":null,\"f\":1}\n\n", "data: {\"choices\":[],\"f\":1}\n\n");
    expect("data: {\"usage\":{\"x\":1}}\n\n", "data: {}\n\n");
}

static void what_is_something_else_stays(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "data",
        ": \"usage\"\n\n",
        "data: \"usage\"\n\n",
        "data: {\"x\":{\"usage\":1}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\\\"usage\\\"\"}}]}\n\n",
        "data: {\"usage\":1,\ndata: \"choices\":[]}\n\n", // in two lines
        "data: {\"usage\":{},\"choices\":[]}",            // never ended
        "data: {\"usage\":{},\"choices\":[]}\n",
        "data: {\"usage\":{},\"choices\":[]\n\n", // no JSON
        "\n\n\r\n\rdata: x\n\n",
        "event: usage\ndata: \"usage\"\n\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], texts[i]);
}

static void an_endless_event_passes(void **state) {
    (void)state;
    struct strip strip = {0};
    struct strbuf in = {0}, out = {0};
    strbuf_literal(&in, "data: {\"usage\":{},\"choices\":[],\"x\":\"");
    while (in.len <= 3 * STRIP_HELD)
        strbuf_literal(&in, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    strbuf_literal(&in, "\"}\n\n");
    for (size_t at = 0; at < in.len; at += 1000) {
        feed(&strip, in.at + at, in.len - at < 1000 ? in.len - at : 1000, &out);
        assert_true(strip.held.len <= STRIP_HELD);
    }
    strip_end(&strip, &out);
    assert_true(slice_equal(strbuf_as_slice(&out), strbuf_as_slice(&in)));
    strip_free(&strip);
    strbuf_free(&in);
    strbuf_free(&out);
}

// An event of that many bytes, and a small one behind it.
static void event_of(size_t bytes, const char *end, struct strbuf *in) {
    strbuf_literal(in, "data: {\"usage\":{},\"choices\":[],\"x\":\"");
    while (in->len < bytes - 2 - strlen(end))
        strbuf_char(in, 'x');
    strbuf_literal(in, "\"}");
    strbuf_slice(in, slice_of(end));
    strbuf_literal(in, "data: {\"usage\":{},\"choices\":[]}\n\n");
}

static void the_limit_is_the_events(void **state) {
    (void)state;
    static const char *const ends[] = {"\n\n", "\r\n\r\n", "\r\r"};
    for (size_t past = 0; past < 2; past++)
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            struct strbuf in = {0};
            event_of(STRIP_HELD + past, ends[i], &in);
            size_t cuts[] = {in.len, 1, 1000, STRIP_HELD - 1, STRIP_HELD, STRIP_HELD + 1};
            for (size_t j = 0; j < sizeof cuts / sizeof *cuts; j++) {
                struct strip strip = {0};
                struct strbuf out = {0};
                for (size_t at = 0; at < in.len; at += cuts[j])
                    feed(&strip, in.at + at, in.len - at < cuts[j] ? in.len - at : cuts[j], &out);
                strip_end(&strip, &out);
                if (past ? !slice_equal(strbuf_as_slice(&out), strbuf_as_slice(&in)) : out.len != 0)
                    fail_msg("%zu past the limit, end %zu, cuts of %zu: %zu of %zu bytes", past, i, cuts[j],
                             out.len, in.len);
                strip_free(&strip);
                strbuf_free(&out);
            }
            strbuf_free(&in);
        }
}

int test_strip(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_go_and_all_else_stays),
        cmocka_unit_test(what_is_something_else_stays),
        cmocka_unit_test(an_endless_event_passes),
        cmocka_unit_test(the_limit_is_the_events),
    };
    return cmocka_run_group_tests_name("strip", tests, NULL, NULL);
}

#include "http/sse.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

// The data of all events of `text`, each behind "<" and before ">" once it has ended.
struct told {
    char text[512];
    size_t len;
    bool open;
};

static void put(struct told *told, struct slice text) {
    assert_true(told->len + text.len < sizeof told->text);
    memcpy(told->text + told->len, text.at, text.len);
    told->len += text.len;
}

static void put_data(struct told *told, struct slice data) {
    if (!told->open)
        put(told, SLICE("<"));
    told->open = true;
    put(told, data);
}

// From memory of its own, so that a byte read past the end is found.
static void feed(struct sse *sse, const char *at, size_t len, struct told *told) {
    char *copy = malloc(len ? len : 1);
    memcpy(copy, at, len);
    struct slice bytes = slice_make(copy, len), data;
    for (;;) {
        enum sse_piece piece = sse_next(sse, &bytes, &data);
        if (piece == SSE_NONE)
            break;
        if (piece == SSE_DATA || piece == SSE_WHOLE)
            put_data(told, data);
        if (piece == SSE_DATA || !told->open)
            continue;
        put(told, SLICE(">"));
        told->open = false;
    }
    assert_int_equal(bytes.len, 0);
    free(copy);
}

static void expect(const struct told *told, const char *expected, const char *text) {
    if (told->len != strlen(expected) || memcmp(told->text, expected, told->len) != 0)
        fail_msg("\"%.*s\", not \"%s\", of \"%s\"", (int)told->len, told->text, expected, text);
}

static void tells(const char *text, const char *expected) {
    size_t len = strlen(text);
    struct sse sse;
    struct told told = {.len = 0};
    sse_start(&sse);
    feed(&sse, text, len, &told);
    expect(&told, expected, text);
    told = (struct told){.len = 0};
    sse_start(&sse);
    for (size_t i = 0; i < len; i++)
        feed(&sse, text + i, 1, &told);
    expect(&told, expected, text);
    for (size_t cut = 0; cut <= len; cut++) {
        told = (struct told){.len = 0};
        sse_start(&sse);
        feed(&sse, text, cut, &told);
        feed(&sse, text + cut, len - cut, &told);
        expect(&told, expected, text);
    }
}

static void events_of_every_line_end(void **state) {
    (void)state;
    tells("data: one\n\ndata: two\n\n", "< one>< two>");
    tells("data: one\r\n\r\ndata: two\r\n\r\n", "< one>< two>");
    tells("data: one\r\rdata: two\r\r", "< one>< two>");
    tells("data:one\n\r\ndata:two\r\n\ndata:three\r\n\rdata:four\n\r", "<one><two><three><four>");
    tells("\n\n\r\r\n\ndata:x\n\n", "<x>");
    tells("", "");
}

static void lines_of_one_event(void **state) {
    (void)state;
    tells("data:a\ndata:b\n\n", "<a\nb>");
    tells("data:a\r\ndata:b\r\ndata:c\r\n\r\ndata:d\r\n\r\n", "<a\nb\nc><d>");
    tells("data:a\rdata:b\r\rdata:c\r\r", "<a\nb><c>");
    tells("event: x\ndata:a\nid: 7\ndata:b\n: note\n\n", "<a\nb>");
}

static void what_is_no_data(void **state) {
    (void)state;
    tells(":data:a\n\n data:a\n\ndat:a\n\ndataa:a\n\nDATA:a\n\ndata\n\nd\n\nevent: data:a\n\n", "");
    tells("data: no end", "< no end");
    tells("data: no empty line\n", "< no empty line");
    tells("data: one\n\ndat", "< one>");
}

int test_sse(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_every_line_end),
        cmocka_unit_test(lines_of_one_event),
        cmocka_unit_test(what_is_no_data),
    };
    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}

#include "http/body.h"
#include "unit.h"

static enum body_result feed(struct body *body, const char *text, size_t len, size_t *data, size_t *used,
                             enum reject *reject) {
    char copy[256];
    memcpy(copy, text, len);
    return body_feed(body, copy, len, data, used, reject);
}

static void counts_a_length(void **state) {
    (void)state;
    struct body body;
    size_t data, used;
    enum reject reject;
    struct framing framing = {.kind = BODY_LENGTH, .length = 5};
    body_start(&body, &framing);
    assert_int_equal(feed(&body, "hel", 3, &data, &used, &reject), BODY_MORE);
    assert_int_equal(used, 3);
    assert_false(body_end(&body)); // cut short
    assert_int_equal(feed(&body, "loGET /", 7, &data, &used, &reject), BODY_COMPLETE);
    assert_int_equal(data, 2);
    assert_int_equal(used, 2);
    assert_int_equal(body.bytes, 5);
    assert_true(body_end(&body));
    assert_int_equal(feed(&body, "GET /", 5, &data, &used, &reject), BODY_COMPLETE);
    assert_int_equal(used, 0);
}

// What the kernel moved from socket to socket counts as what was read.
static void counts_what_passed_unread(void **state) {
    (void)state;
    struct body body;
    size_t data, used;
    enum reject reject;
    struct framing framing = {.kind = BODY_LENGTH, .length = 10};
    body_start(&body, &framing);
    assert_int_equal(feed(&body, "abc", 3, &data, &used, &reject), BODY_MORE);
    body_passed(&body, 4);
    assert_int_equal(body.bytes, 7);
    assert_int_equal(body.left, 3);
    assert_false(body.complete);
    body_passed(&body, 3);
    assert_int_equal(body.bytes, 10);
    assert_true(body.complete && body_end(&body));
}

static void nothing_is_complete_at_once(void **state) {
    (void)state;
    struct body body;
    struct framing framing = {.kind = BODY_NONE};
    body_start(&body, &framing);
    assert_true(body.complete);
    framing = (struct framing){.kind = BODY_LENGTH, .length = 0};
    body_start(&body, &framing);
    assert_true(body.complete);
}

static void walks_chunks(void **state) {
    (void)state;
    struct body body;
    size_t data, used;
    enum reject reject;
    struct framing framing = {.kind = BODY_CHUNKED};
    body_start(&body, &framing);
    assert_int_equal(feed(&body, "3\r\nabc\r\n2", 9, &data, &used, &reject), BODY_MORE);
    assert_int_equal(data, 3);
    assert_false(body_end(&body));
    assert_int_equal(feed(&body, "\r\nde\r\n0\r\n\r\nnext", 15, &data, &used, &reject), BODY_COMPLETE);
    assert_int_equal(data, 2);
    assert_int_equal(used, 11);
    assert_int_equal(body.bytes, 5);
    assert_true(body_end(&body));
    body_start(&body, &framing);
    assert_int_equal(feed(&body, "zz", 2, &data, &used, &reject), BODY_REJECTED);
    assert_int_equal(reject, REJECT_BAD_CHUNK);
}

static void ends_with_the_connection(void **state) {
    (void)state;
    struct body body;
    size_t data, used;
    enum reject reject;
    struct framing framing = {.kind = BODY_UNTIL_CLOSE};
    body_start(&body, &framing);
    assert_int_equal(feed(&body, "anything", 8, &data, &used, &reject), BODY_MORE);
    assert_int_equal(data, 8);
    assert_true(body_end(&body));
    assert_true(body.complete);
}

int test_body(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_a_length),
        cmocka_unit_test(counts_what_passed_unread),
        cmocka_unit_test(nothing_is_complete_at_once),
        cmocka_unit_test(walks_chunks),
        cmocka_unit_test(ends_with_the_connection),
    };
    return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}

#include "../../../src/control/json_pieces.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static const char stream[] =
    "{\"a\":1}\n  {\"b\":{\"c\":\"}\\\"{\\\\\"}}\r\n\t{}{\"\\\\\":[{},{\"x\":\"\\\\\\\"}\"}]}\n";
static const char *const objects[] = {"{\"a\":1}", "{\"b\":{\"c\":\"}\\\"{\\\\\"}}", "{}",
                                      "{\"\\\\\":[{},{\"x\":\"\\\\\\\"}\"}]}"};

static void take_all(struct json_pieces *pieces, size_t *count) {
    struct slice object;
    enum json_piece found;
    while ((found = json_pieces_next(pieces, &object)) == JSON_PIECE_OBJECT) {
        assert_true(*count < sizeof objects / sizeof *objects);
        assert_true(slice_equal(object, slice_of(objects[*count])));
        ++*count;
    }
    assert_int_equal(found, JSON_PIECE_NONE);
}

static void objects_are_the_same_wherever_the_stream_is_cut(void **state) {
    (void)state;
    size_t len = strlen(stream);
    for (size_t first = 0; first <= len; first++)
        for (size_t second = first; second <= len; second++) {
            struct json_pieces pieces = {.most_bytes = 1000};
            size_t count = 0;
            json_pieces_add(&pieces, slice_make(stream, first));
            take_all(&pieces, &count);
            json_pieces_add(&pieces, slice_make(stream + first, second - first));
            take_all(&pieces, &count);
            json_pieces_add(&pieces, slice_make(stream + second, len - second));
            take_all(&pieces, &count);
            assert_int_equal(count, sizeof objects / sizeof *objects);
            json_pieces_free(&pieces);
        }
}

static void one_byte_at_a_time_will_do(void **state) {
    (void)state;
    struct json_pieces pieces = {.most_bytes = 1000};
    size_t count = 0;
    for (const char *at = stream; *at; at++) {
        json_pieces_add(&pieces, slice_make(at, 1));
        take_all(&pieces, &count);
    }
    assert_int_equal(count, sizeof objects / sizeof *objects);
    json_pieces_free(&pieces);
}

static enum json_piece first_of(const char *text, size_t most) {
    struct json_pieces pieces = {.most_bytes = most};
    struct slice object;
    json_pieces_add(&pieces, slice_of(text));
    enum json_piece found = json_pieces_next(&pieces, &object);
    json_pieces_free(&pieces);
    return found;
}

static void what_is_no_object_or_too_long_is_bad(void **state) {
    (void)state;
    static const char *const bad[] = {"x", "[{}]", "}", " \n1", "\"{}\""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(first_of(bad[i], 100), JSON_PIECE_BAD);
    assert_int_equal(first_of("{\"a\":1}", 7), JSON_PIECE_OBJECT);
    assert_int_equal(first_of("{\"a\":1}", 6), JSON_PIECE_BAD);
    assert_int_equal(first_of("{\"a\":1", 7), JSON_PIECE_NONE);
    assert_int_equal(first_of("", 7), JSON_PIECE_NONE);
}

static void a_zero_byte_is_no_space(void **state) {
    (void)state;
    struct json_pieces pieces = {.most_bytes = 10};
    struct slice object;
    json_pieces_add(&pieces, slice_make("\0{}", 3));
    assert_int_equal(json_pieces_next(&pieces, &object), JSON_PIECE_BAD);
    assert_int_equal(json_pieces_next(&pieces, &object), JSON_PIECE_BAD);
    json_pieces_free(&pieces);
}

int test_json_pieces(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_the_same_wherever_the_stream_is_cut),
        cmocka_unit_test(one_byte_at_a_time_will_do),
        cmocka_unit_test(what_is_no_object_or_too_long_is_bad),
        cmocka_unit_test(a_zero_byte_is_no_space),
    };
    return cmocka_run_group_tests_name("json_pieces", tests, NULL, NULL);
}

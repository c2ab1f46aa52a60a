#include "../../../src/proxy/frame.h"
#include "unit.h"

static struct buffer_pool pool;

static struct buffer *holding(const char *text) {
    struct buffer *buffer = buffer_take(&pool);
    size_t len = strlen(text);
    memcpy(buffer->bytes + buffer->end, text, len);
    buffer->end += (uint32_t)len;
    return buffer;
}

static void assert_holds(struct buffer *buffer, const char *expected) {
    assert_int_equal(buffer_len(buffer), strlen(expected));
    assert_memory_equal(buffer_at(buffer), expected, strlen(expected));
    buffer_give(buffer);
}

static void data_becomes_one_chunk_in_place(void **state) {
    (void)state;
    struct buffer *buffer = holding("data: hello\n\n");
    frame_chunk(buffer, 13, false);
    assert_holds(buffer, "d\r\ndata: hello\n\n\r\n");
}

static void the_last_data_ends_the_body(void **state) {
    (void)state;
    struct buffer *buffer = holding("end");
    frame_chunk(buffer, 3, true);
    assert_holds(buffer, "3\r\nend\r\n0\r\n\r\n");
}

static void no_data_is_nothing_or_the_end_alone(void **state) {
    (void)state;
    struct buffer *nothing = holding("1a\r"); // a size line that is not complete yet
    frame_chunk(nothing, 0, false);
    assert_holds(nothing, "");
    struct buffer *end = holding("\n"); // the last byte of what came in
    frame_chunk(end, 0, true);
    assert_holds(end, "0\r\n\r\n");
}

static void a_full_buffer_has_room_for_its_frame(void **state) {
    (void)state;
    struct buffer *buffer = buffer_take(&pool);
    memset(buffer->bytes + buffer->end, 'x', pool.room);
    buffer->end += (uint32_t)pool.room;
    frame_chunk(buffer, pool.room, true); // the address sanitizer watches both ends
    assert_int_equal(buffer_len(buffer), pool.room + strlen("10000\r\n") + strlen("\r\n0\r\n\r\n"));
    buffer_give(buffer);
}

static int set_up(void **state) {
    (void)state;
    buffer_pool_init(&pool, 65536);
    return 0;
}
static int tear_down(void **state) {
    (void)state;
    buffer_pool_free(&pool);
    return 0;
}

int test_frame(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_becomes_one_chunk_in_place),
        cmocka_unit_test(the_last_data_ends_the_body),
        cmocka_unit_test(no_data_is_nothing_or_the_end_alone),
        cmocka_unit_test(a_full_buffer_has_room_for_its_frame),
    };
    return cmocka_run_group_tests_name("frame", tests, set_up, tear_down);
}

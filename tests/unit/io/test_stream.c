#include "io/stream.h"
#include "unit.h"
#include <sys/socket.h>
#include <unistd.h>

static unsigned calls;
static void happened(int fd, short what, void *context) {
    (void)fd;
    stream_noted(context, what);
    calls++;
}

static void an_end_that_comes_with_the_bytes_is_not_lost(void **state) {
    (void)state;
    struct event_base *base = event_base_new();
    struct stream stream;
    char bytes[64];
    size_t got;
    int pair[2];
    calls = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(stream_open(&stream, base, pair[0], happened, &stream));
    assert_int_equal(write(pair[1], "abc", 3), 3);
    close(pair[1]);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(calls > 0 && stream.readable && stream.hangup);
    assert_int_equal(stream_read(&stream, bytes, sizeof bytes, &got), STREAM_DONE);
    assert_int_equal(got, 3);
    assert_true(stream.readable); // a short read does not end the reading: no other edge will come
    assert_int_equal(stream_read(&stream, bytes, sizeof bytes, &got), STREAM_ENDED);
    assert_false(stream.readable);
    stream_close(&stream);
    stream_close(&stream);
    event_base_free(base);
}

static void a_short_read_ends_the_reading(void **state) {
    (void)state;
    struct event_base *base = event_base_new();
    struct stream stream;
    char bytes[64];
    size_t got;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(stream_open(&stream, base, pair[0], happened, &stream));
    for (int round = 0; round < 3; round++) { // every arrival brings a new edge
        calls = 0;
        assert_int_equal(write(pair[1], "abc", 3), 3);
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        assert_true(calls > 0 && stream.readable);
        assert_int_equal(stream_read(&stream, bytes, sizeof bytes, &got), STREAM_DONE);
        assert_false(stream.readable);
    }
    stream_close(&stream);
    close(pair[1]);
    event_base_free(base);
}

static void what_was_peeked_at_stays(void **state) {
    (void)state;
    struct event_base *base = event_base_new();
    struct stream stream;
    char bytes[64];
    size_t got;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(stream_open(&stream, base, pair[0], happened, &stream));
    assert_int_equal(stream_peek(&stream, bytes, sizeof bytes, &got), STREAM_BLOCKED);
    assert_int_equal(write(pair[1], "abc", 3), 3);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(stream_peek(&stream, bytes, sizeof bytes, &got), STREAM_DONE);
        assert_int_equal(got, 3);
        assert_true(stream.readable);
    }
    assert_int_equal(stream_read(&stream, bytes, 2, &got), STREAM_DONE);
    assert_int_equal(stream_peek(&stream, bytes, sizeof bytes, &got), STREAM_DONE);
    assert_int_equal(got, 1);
    assert_memory_equal(bytes, "c", 1);
    stream_close(&stream);
    close(pair[1]);
    event_base_free(base);
}

int test_stream(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_that_comes_with_the_bytes_is_not_lost),
        cmocka_unit_test(a_short_read_ends_the_reading),
        cmocka_unit_test(what_was_peeked_at_stays),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}

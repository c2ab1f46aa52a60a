#include "base/mem.h"
#include "io/outbox.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct fixture {
    struct stream stream;
    int peer;
    struct buffer_pool pool;
    struct outbox outbox;
};

static int set_up(void **state) {
    static struct fixture fixture;
    int pair[2], small = 4096;
    fixture = (struct fixture){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fixture.stream.fd = pair[0];
    fixture.peer = pair[1];
    buffer_pool_init(&fixture.pool, 65536);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    outbox_clear(&fixture->outbox);
    close(fixture->stream.fd);
    if (fixture->peer >= 0)
        close(fixture->peer);
    buffer_pool_free(&fixture->pool);
    return 0;
}

// Reads everything there is; returns how many bytes, checking the pattern from `at` on.
static size_t drain(struct fixture *fixture, size_t at) {
    unsigned char bytes[4096];
    size_t total = 0;
    ssize_t n;
    while ((n = read(fixture->peer, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(bytes[i], (at + total++) % 251);
    return total;
}

static void pattern(char *at, size_t from, size_t len) {
    for (size_t i = 0; i < len; i++)
        at[i] = (char)((from + i) % 251);
}

static void everything_arrives_in_order_however_little_is_taken(void **state) {
    struct fixture *fixture = *state;
    char head[300];
    struct buffer *body = buffer_take(&fixture->pool);
    char *heap = mem_alloc(50000);
    pattern(head, 0, sizeof head);
    pattern(body->bytes + body->end, 300, 60000);
    body->end += 60000;
    pattern(heap, 60300, 50000);
    struct segment segments[] = {segment_copied(slice_make(head, sizeof head)),
                                 segment_buffer(body),
                                 {heap, 50000, SEGMENT_HEAP, heap}};
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, segments, 3), STREAM_BLOCKED);
    memset(head, 0, sizeof head); // was borrowed for the call only
    size_t got = 0;
    enum stream_result result = STREAM_BLOCKED;
    while (result == STREAM_BLOCKED) {
        got += drain(fixture, got);
        result = outbox_flush(&fixture->outbox, &fixture->stream);
    }
    got += drain(fixture, got);
    assert_int_equal(result, STREAM_DONE);
    assert_int_equal(got, 110300);
    assert_true(outbox_empty(&fixture->outbox));
    assert_int_equal(fixture->pool.free_count, 1);
}

static void more_goes_behind_what_waits(void **state) {
    struct fixture *fixture = *state;
    struct buffer *body = buffer_take(&fixture->pool);
    char tail[10];
    pattern(body->bytes + body->end, 0, 60000);
    body->end += 60000;
    pattern(tail, 60000, sizeof tail);
    struct segment first = segment_buffer(body), second = segment_copied(slice_make(tail, sizeof tail));
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &first, 1), STREAM_BLOCKED);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &second, 1), STREAM_BLOCKED);
    size_t got = 0;
    while (!outbox_empty(&fixture->outbox)) {
        got += drain(fixture, got);
        assert_int_not_equal(outbox_flush(&fixture->outbox, &fixture->stream), STREAM_FAILED);
    }
    assert_int_equal(got + drain(fixture, got), 60010);
}

// A stream with the pattern from `at` on to be read, which ends there.
static void make_source(struct stream *source, size_t at, size_t len) {
    int pair[2];
    char bytes[8000];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_true(len <= sizeof bytes);
    pattern(bytes, at, len);
    assert_int_equal(write(pair[1], bytes, len), len);
    close(pair[1]);
    *source = (struct stream){.fd = pair[0], .readable = true};
}

static void what_is_in_a_pipe_keeps_its_place(void **state) {
    struct fixture *fixture = *state;
    struct pipe_pool pipes = {.bytes = 65536};
    struct stream source;
    struct pipe *pipe = pipe_take(&pipes);
    struct buffer *body = buffer_take(&fixture->pool);
    char tail[500];
    size_t filled, got = 0;
    assert_non_null(pipe);
    pattern(body->bytes + body->end, 0, 30000);
    body->end += 30000;
    make_source(&source, 30000, 8000);
    assert_int_equal(pipe_fill(pipe, &source, 5000, &filled), STREAM_DONE);
    assert_int_equal(filled, 5000); // no more than asked for
    assert_true(source.readable);
    pattern(tail, 35000, sizeof tail);
    struct segment segments[] = {segment_buffer(body), segment_pipe(pipe),
                                 segment_copied(slice_make(tail, sizeof tail))};
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, segments, 3), STREAM_BLOCKED);
    assert_int_equal(pipes.used, 1);
    while (!outbox_empty(&fixture->outbox)) {
        got += drain(fixture, got);
        assert_int_not_equal(outbox_flush(&fixture->outbox, &fixture->stream), STREAM_FAILED);
    }
    assert_int_equal(got + drain(fixture, got), 35500);
    assert_int_equal(pipes.used, 0);
    assert_int_equal(pipes.free_count, 1);
    // The same pipe again; then the source has ended.
    pipe = pipe_take(&pipes);
    assert_int_equal(pipe_fill(pipe, &source, 5000, &filled), STREAM_DONE);
    assert_int_equal(filled, 3000);
    struct segment rest = segment_pipe(pipe);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &rest, 1), STREAM_DONE);
    assert_int_equal(drain(fixture, 35000), 3000);
    pipe = pipe_take(&pipes);
    assert_int_equal(pipe_fill(pipe, &source, 5000, &filled), STREAM_ENDED);
    assert_false(source.readable);
    pipe_give(pipe);
    close(source.fd);
    pipe_pool_free(&pipes);
}

static void a_pipe_with_bytes_in_it_is_not_used_again(void **state) {
    signal(SIGPIPE, SIG_IGN); // as the daemon does: splice has no MSG_NOSIGNAL
    struct fixture *fixture = *state;
    struct pipe_pool pipes = {0};
    struct stream source;
    struct pipe *pipe = pipe_take(&pipes);
    size_t filled;
    make_source(&source, 0, 8000);
    assert_int_equal(pipe_fill(pipe, &source, 8000, &filled), STREAM_DONE);
    close(fixture->peer); // who should have got it has gone
    fixture->peer = -1;
    struct segment segment = segment_pipe(pipe);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &segment, 1), STREAM_FAILED);
    assert_true(fixture->stream.deaf);
    assert_int_equal(pipes.used, 0);
    assert_int_equal(pipes.free_count, 0);
    close(source.fd);
    pipe_pool_free(&pipes);
}

static void heads_in_a_row_take_one_place(void **state) {
    struct fixture *fixture = *state;
    struct buffer *body = buffer_take(&fixture->pool), *last = buffer_take(&fixture->pool);
    pattern(body->bytes + body->end, 0, 60000);
    body->end += 60000;
    struct segment first = segment_buffer(body);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &first, 1), STREAM_BLOCKED);
    size_t sent = 60000;
    for (int i = 0; i < 12; i++, sent += 1000) { // as many interim answers as an upstream may send, and more
        char head[1000];
        pattern(head, sent, sizeof head);
        struct segment segment = segment_copied(slice_make(head, sizeof head));
        assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &segment, 1), STREAM_BLOCKED);
    }
    pattern(last->bytes + last->end, sent, 500);
    last->end += 500;
    struct segment end = segment_buffer(last);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &end, 1), STREAM_BLOCKED);
    assert_int_equal(fixture->outbox.count, 3);
    size_t got = 0;
    while (!outbox_empty(&fixture->outbox)) {
        got += drain(fixture, got);
        assert_int_not_equal(outbox_flush(&fixture->outbox, &fixture->stream), STREAM_FAILED);
    }
    assert_int_equal(got + drain(fixture, got), sent + 500);
}

static void a_broken_peer_releases_everything(void **state) {
    struct fixture *fixture = *state;
    struct buffer *body = buffer_take(&fixture->pool);
    body->end += 100;
    close(fixture->peer);
    fixture->peer = -1;
    struct segment segment = segment_buffer(body);
    assert_int_equal(outbox_send(&fixture->outbox, &fixture->stream, &segment, 1), STREAM_FAILED);
    assert_int_equal(fixture->pool.free_count, 1);
    assert_true(outbox_empty(&fixture->outbox));
}

int test_outbox(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_in_order_however_little_is_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_goes_behind_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_in_a_pipe_keeps_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pipe_with_bytes_in_it_is_not_used_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(heads_in_a_row_take_one_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_peer_releases_everything, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}

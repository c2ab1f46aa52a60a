// Messages with descriptors, more of them than the sockets hold, and the end.
#include "../../../src/control/channel.h"
#include "base/strbuf.h"
#include "unit.h"

#include <string.h>
#include <unistd.h>

struct side {
    struct channel *channel;
    size_t heard, fds, bytes;
    bool ended, drop;
};

static void heard(const struct channel_mail *mail, void *context) {
    struct side *side = context;
    struct slice rest = mail->text;
    uint64_t number;
    assert_true(slice_to_u64(slice_cut(&rest, ' '), &number));
    assert_int_equal(number, side->heard); // in order
    side->heard++;
    side->bytes += mail->text.len;
    side->fds += mail->fd_count;
    for (size_t i = 0; i < mail->fd_count; i++)
        assert_int_equal(close(mail->fds[i]), 0);
    if (side->drop)
        channel_free(side->channel);
}

static void ended(void *context) {
    ((struct side *)context)->ended = true;
}

static void open_both(struct event_base **base, struct side *one, struct side *other) {
    int fds[2];
    assert_true(channel_pair(fds));
    *base = event_base_new();
    one->channel = channel_new(*base, fds[0], heard, ended, one);
    other->channel = channel_new(*base, fds[1], heard, ended, other);
}

static void more_than_fits_comes_later(void **state) {
    (void)state;
    struct side one = {0}, other = {0};
    struct event_base *base;
    struct strbuf text = {0};
    int fds[CHANNEL_FDS];
    for (int i = 0; i < CHANNEL_FDS; i++)
        fds[i] = STDERR_FILENO;
    open_both(&base, &one, &other);
    for (int i = 0; i < 100; i++) {
        strbuf_clear(&text);
        strbuf_format(&text, "%d %030000d", i, 0);
        assert_true(channel_send(one.channel, strbuf_as_slice(&text), fds, i % 10 == 0 ? CHANNEL_FDS : 0));
    }
    while (other.heard < 100)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_int_equal(other.fds, 10 * CHANNEL_FDS);
    assert_true(other.bytes > 3000000);
    channel_free(one.channel);
    while (!other.ended)
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_true(channel_send(other.channel, SLICE("0"), NULL, 0)); // nobody is there, which is no mistake
    channel_free(other.channel);
    event_base_free(base);
    strbuf_free(&text);
}

static void too_much_is_refused(void **state) {
    (void)state;
    static const char large[CHANNEL_BYTES + 1];
    struct side one = {0}, other = {0};
    struct event_base *base;
    open_both(&base, &one, &other);
    assert_false(channel_send(one.channel, slice_make(large, sizeof large), NULL, 0));
    assert_false(channel_send(one.channel, SLICE("0"), NULL, CHANNEL_FDS + 1));
    assert_false(channel_send(one.channel, SLICE_NONE, NULL, 0)); // would be taken for the end
    channel_free(one.channel);
    channel_free(other.channel);
    event_base_free(base);
}

static void it_can_be_waited_for_and_freed_while_it_hears(void **state) {
    (void)state;
    struct side one = {0}, other = {.drop = true};
    struct event_base *base;
    open_both(&base, &one, &other);
    assert_false(channel_wait(other.channel, 0));
    assert_true(channel_send(one.channel, SLICE("0"), NULL, 0));
    assert_true(channel_send(one.channel, SLICE("1"), NULL, 0));
    assert_true(channel_wait(other.channel, 10000));
    assert_int_equal(other.heard, 1);
    while (!one.ended) // the other is gone
        assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
    assert_true(channel_wait(one.channel, 0));
    channel_free(one.channel);
    event_base_free(base);
}

int test_channel(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_fits_comes_later),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(it_can_be_waited_for_and_freed_while_it_hears),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}

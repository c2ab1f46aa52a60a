#include "secured.h"
#include "unit.h"
#include <string.h>
#include <sys/socket.h>

static void happened(int fd, short what, void *context) {
    (void)fd;
    stream_noted(context, what);
}

void secured_open(struct secured *pair, struct tls_context *client, struct tls_context *server,
                  const char *name, struct tls_session *resume) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    pair->base = event_base_new();
    assert_true(stream_open(&pair->client, pair->base, fds[0], happened, &pair->client));
    assert_true(stream_open(&pair->server, pair->base, fds[1], happened, &pair->server));
    if (client)
        stream_secure_client(&pair->client, client, name, resume);
    if (server)
        stream_secure_server(&pair->server, server);
}

void secured_close(struct secured *pair) {
    stream_close(&pair->client);
    stream_close(&pair->server);
    event_base_free(pair->base);
}

void secured_turn(struct secured *pair) {
    event_base_loop(pair->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

bool secured_shake(struct secured *pair) {
    enum stream_result client = STREAM_BLOCKED, server = STREAM_BLOCKED;
    for (int turn = 0; turn < 20 && (client == STREAM_BLOCKED || server == STREAM_BLOCKED); turn++) {
        if (client == STREAM_BLOCKED)
            client = stream_handshake(&pair->client);
        secured_turn(pair);
        if (server == STREAM_BLOCKED)
            server = stream_handshake(&pair->server);
        secured_turn(pair);
    }
    return client == STREAM_DONE && server == STREAM_DONE;
}

enum stream_result secured_read(struct secured *pair, struct stream *from, char *at, size_t want,
                                size_t *got) {
    enum stream_result result = STREAM_BLOCKED;
    *got = 0;
    for (int turn = 0; turn < 100 && *got < want; turn++) {
        size_t n = 0;
        secured_turn(pair);
        result = stream_read(from, at + *got, want - *got, &n);
        *got += n;
        if (result == STREAM_ENDED || result == STREAM_FAILED)
            break;
    }
    return result;
}

void secured_write(struct stream *to, const char *text) {
    struct iovec part = {(void *)text, strlen(text)};
    size_t put;
    assert_int_equal(stream_write(to, &part, 1, &put), STREAM_DONE);
    assert_int_equal(put, part.iov_len);
}

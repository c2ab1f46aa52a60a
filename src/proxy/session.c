#include "session.h"
#include "base/clock.h"
#include "exchange.h"
#include "handshake.h"
#include "preface.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

// How long and how much a closing connection is read on, so that the client sees the answer and not a reset
// (RFC 9112 9.6).
#define LINGER_MS    5000
#define LINGER_BYTES (4u << 20)
// While draining, a connection without a request stays open this long: a request that is already on its way
// is answered, with Connection: close.
#define DRAIN_IDLE_MS 1000

static void happened(int fd, short what, void *context);

static const struct timeouts_config *timeouts(const struct session *session) {
    return &session->worker->hold->plan->config->timeouts;
}

// Everything was said. (A plain connection's end is its close.)
static void close_politely(struct session *session) {
    if (session->stream.tls)
        stream_finish(&session->stream);
    session_close(session);
}

static void wait_for_head(struct session *session, bool begun);

static void idle_expired(struct deadline *deadline) {
    struct session *session = list_entry(deadline, struct session, deadline);
    struct worker *worker = session->worker;
    worker_enter(worker);
    if (list_linked(&session->turn)) // it is not idle: we are late
        wait_for_head(session, false);
    else
        close_politely(session);
    worker_leave(worker);
}

// A head that does not come to its end: told so when it has begun.
static void head_expired(struct deadline *deadline) {
    struct session *session = list_entry(deadline, struct session, deadline);
    struct worker *worker = session->worker;
    worker_enter(worker);
    if (list_linked(&session->turn)) { // what may be its end has come in time: we are late
        list_remove(&session->turn);
        session_advance(session);
    }
    if (session->state == SESSION_HEAD && !deadline_is_set(&session->deadline))
        exchange_refuse_late_head(session);
    worker_leave(worker);
}

static bool between_requests(const struct session *session) {
    return session->state == SESSION_WAITING || session->state == SESSION_HEAD;
}

static void wait_for_head(struct session *session, bool begun) {
    struct worker *worker = session->worker;
    session->state = begun ? SESSION_HEAD : SESSION_WAITING;
    int64_t wait = begun ? timeouts(session)->client_header : timeouts(session)->client_idle;
    if (!begun && worker->draining && (wait < 0 || wait > DRAIN_IDLE_MS))
        wait = DRAIN_IDLE_MS;
    deadline_set(&worker->deadlines, &session->deadline, wait, worker->now_ns,
                 begun ? head_expired : idle_expired);
}

void session_drain(struct session *session) {
    if (session->state == SESSION_WAITING)
        wait_for_head(session, false);
    else if (session->state == SESSION_PREFACE)
        preface_hurry(session, DRAIN_IDLE_MS);
}

void session_set_peer(struct session *session, const struct address *peer) {
    char text[ADDRESS_TEXT];
    size_t len = address_host(peer, text);
    session->peer_len = (uint8_t)(len < sizeof session->peer ? len : sizeof session->peer - 1);
    memcpy(session->peer, text, session->peer_len);
    session->peer_ip = address_ip(peer);
}

// The listener's settings were needed up to here. False: the session was closed.
static bool begin(struct session *session, struct front *front) {
    if (front->tls)
        return handshake_begin(session, front->tls);
    wait_for_head(session, false);
    return true;
}

static bool after_preface(struct session *session) {
    struct front *front = session->front;
    session->front = NULL;
    bool going = begin(session, front);
    front_unref(front);
    return going;
}

void session_open(struct worker *worker, struct front *front, int fd, const struct address *peer) {
    struct session *session = mem_zero(1, sizeof *session);
    session_set_peer(session, peer);
    session->worker = worker;
    list_push(&worker->sessions, &session->link);
    counter_add(&worker->connections, 1);
    if (!stream_open(&session->stream, worker->base, fd, happened, session)) {
        session_close(session);
        return;
    }
    if (front->proxy_protocol)
        preface_begin(session, front);
    else
        begin(session, front);
}

void session_close(struct session *session) {
    if (session->state == SESSION_CLOSED)
        return;
    must(!session->exchange);
    struct worker *worker = session->worker;
    if (session->state == SESSION_HANDSHAKE)
        handshake_over(session);
    session->state = SESSION_CLOSED;
    list_remove(&session->turn);
    deadline_clear(&session->deadline);
    stream_close(&session->stream);
    outbox_clear(&session->outbox);
    buffer_give(session->in);
    session->in = NULL;
    mem_free(session->subject);
    front_unref(session->front);
    session->front = NULL;
    list_remove(&session->link);
    list_push(&worker->dead_sessions, &session->link);
    counter_add(&worker->connections, (uint64_t)-1);
    if (worker->draining)
        worker_maybe_drained(worker);
}

enum stream_result session_read(struct session *session) {
    struct buffer *buffer = session->in;
    if (!buffer)
        buffer = session->in = buffer_take(&session->worker->buffers);
    size_t got;
    enum stream_result result =
        stream_read(&session->stream, buffer->bytes + buffer->end, buffer_space(buffer), &got);
    buffer->end += (uint32_t)got;
    if (result == STREAM_ENDED)
        session->ended = true;
    if (buffer_len(buffer) == 0) {
        buffer_give(buffer);
        session->in = NULL;
    }
    return result;
}

static void linger(struct session *session) {
    size_t got;
    enum stream_result result = STREAM_DONE;
    buffer_give(session->in);
    session->in = NULL;
    while (session->stream.readable && result == STREAM_DONE && session->lingered < LINGER_BYTES) {
        result = stream_discard(&session->stream, &got);
        session->lingered += got;
    }
    if (session->ended || result == STREAM_ENDED || result == STREAM_FAILED ||
        session->lingered >= LINGER_BYTES)
        session_close(session);
}

static void linger_expired(struct deadline *deadline) {
    struct session *session = list_entry(deadline, struct session, deadline);
    struct worker *worker = session->worker;
    worker_enter(worker);
    session_close(session);
    worker_leave(worker);
}

void session_linger(struct session *session) {
    struct worker *worker = session->worker;
    session->state = SESSION_LINGER;
    stream_finish(&session->stream);
    deadline_set(&worker->deadlines, &session->deadline, LINGER_MS, worker->now_ns, linger_expired);
    linger(session);
}

// A buffer whose bytes are all used up goes back: a connection that waits holds none.
static void give_empty(struct session *session) {
    if (session->in && buffer_len(session->in) == 0) {
        buffer_give(session->in);
        session->in = NULL;
    }
}

static void make_close_a_reset(struct session *session) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(session->stream.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void session_after_exchange(struct session *session, enum session_after after) {
    if (session->state == SESSION_CLOSED)
        return;
    session->exchange = NULL;
    give_empty(session);
    if (after == SESSION_THEN_RESET)
        make_close_a_reset(session);
    if (after == SESSION_THEN_CLOSE || after == SESSION_THEN_RESET) {
        session_close(session);
        return;
    }
    // What was not read when the connection is closed would reset it, and the answer with it. Under TLS the
    // end itself may have to wait for room.
    bool parts = after == SESSION_THEN_PART && !session->stream.tls && !session->stream.readable;
    bool silent = session->ended || parts;
    if (silent && !session->in) {
        close_politely(session);
        return;
    }
    if (after == SESSION_THEN_LINGER || after == SESSION_THEN_PART) {
        session_linger(session);
        return;
    }
    wait_for_head(session, session->in != NULL);
    if (!session->advancing && (session->in || session->stream.readable))
        session_advance(session);
}

// One head from the buffer. False: more bytes are needed.
static bool take_head(struct session *session) {
    struct worker *worker = session->worker;
    struct buffer *buffer = session->in;
    const struct limits_config *configured = &worker->hold->plan->config->limits;
    struct head_limits limits = {.target_bytes = 8192, .head_bytes = (size_t)configured->header_bytes};
    enum reject reject = REJECT_NONE;
    const char *at = buffer_at(buffer);
    switch (head_read_request(slice_make(at, buffer_len(buffer)), &limits, &worker->request_head, &reject)) {
    case HEAD_PARTIAL:
        if (session->state == SESSION_WAITING)
            wait_for_head(session, true);
        if (worker_starved(worker)) {
            exchange_refuse_starved(session);
            return true;
        }
        if (buffer_space(buffer) == 0)
            buffer_compact(buffer);
        return false;
    case HEAD_REJECTED:
        exchange_refuse_head(session, reject);
        return true;
    case HEAD_COMPLETE:
        buffer->start += (uint32_t)worker->request_head.bytes;
        exchange_start(session, at);
        give_empty(session); // nothing refers to the head any more
        return true;
    }
    return false;
}

// True: something came.
static bool read_head(struct session *session) {
    enum stream_result result = session_read(session);
    // An end in the middle of a head leaves nothing to answer.
    if (result == STREAM_FAILED || result == STREAM_ENDED)
        session_close(session);
    return result == STREAM_DONE;
}

// False: there is no whole head, and no more to make one of. `fresh` is whether what there is came since the
// last look: then a reset may have come with it, whose connection nobody would want to keep waiting for more.
static bool go_on_between(struct session *session, bool *fresh) {
    bool looked_at = session->in && take_head(session);
    if (looked_at || session->state == SESSION_CLOSED)
        return looked_at;
    if (*fresh)
        stream_look_again(&session->stream);
    return *fresh = session->stream.readable && read_head(session);
}

// The client's side while an exchange does not read the body: only that it has gone is of interest.
static void watch_client(struct session *session) {
    // An end of what it sends is none of what it reads; POLLHUP says that it reads no more: a unix socket was
    // closed (TCP tells by a reset, POLLERR).
    // Once a tunnel's upstream has ended, POLLHUP says only that the client has too: its last bytes may still
    // wait for room on the other side.
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the state says that there is one
    short gone = session->exchange->ended & ENDED_UPSTREAM ? POLLERR : POLLERR | POLLHUP;
    struct pollfd state = {.fd = session->stream.fd};
    if (poll(&state, 1, 0) > 0 && (state.revents & gone))
        exchange_client_gone(session->exchange);
}

void session_advance(struct session *session) {
    session->advancing = true;
    bool progress = true, fresh = false;
    while (progress && session->state != SESSION_CLOSED) {
        switch (session->state) {
        case SESSION_PREFACE:
            progress = preface_go_on(session) && after_preface(session);
            break;
        case SESSION_HANDSHAKE:
            progress = handshake_go_on(session);
            if (progress)
                wait_for_head(session, false);
            break;
        case SESSION_WAITING:
        case SESSION_HEAD:
            progress = go_on_between(session, &fresh);
            break;
        case SESSION_EXCHANGE:
            exchange_client_readable(session->exchange);
            // An own answer may have ended the exchange: then the next head is looked at.
            progress = session->state == SESSION_WAITING || session->state == SESSION_HEAD;
            break;
        case SESSION_LINGER:
            linger(session);
            progress = false;
            break;
        case SESSION_CLOSED:
            progress = false;
            break;
        }
    }
    session->advancing = false;
}

static void flush(struct session *session) {
    switch (outbox_flush(&session->outbox, &session->stream)) {
    case STREAM_DONE:
        exchange_client_writable(session->exchange);
        break;
    case STREAM_FAILED:
        exchange_client_gone(session->exchange);
        break;
    default:
        break;
    }
}

static void advance(struct session *session) {
    session_advance(session);
    if (session->state == SESSION_EXCHANGE && session->stream.readable)
        watch_client(session);
}

void session_turn(struct link *turn) {
    struct session *session = list_entry(turn, struct session, turn);
    struct worker *worker = session->worker;
    worker_enter(worker);
    advance(session);
    worker_leave(worker);
}

static void happened(int fd, short what, void *context) {
    (void)fd;
    struct session *session = context;
    struct worker *worker = session->worker;
    stream_noted(&session->stream, what);
    if (between_requests(session)) {
        if (what & (EV_READ | EV_CLOSED))
            turns_ask(&worker->turns, &session->turn);
        return;
    }
    worker_enter(worker);
    if ((what & EV_WRITE) && session->exchange && !outbox_empty(&session->outbox))
        flush(session);
    if (session->state != SESSION_CLOSED && (what & (EV_READ | EV_CLOSED)))
        advance(session);
    worker_leave(worker);
}

#include "preface.h"
#include "io/proxy_protocol.h"

static void fail(struct session *session, const char *why) {
    counter_add(&session->worker->refused[REFUSED_PROXY_PROTOCOL], 1);
    log_rationed(&session->worker->preface_log, session->worker->now_ns, "PROXY protocol: connection refused",
                 "client=%.*s reason=%s", (int)session->peer_len, session->peer, why);
    session_close(session);
}

static void expired(struct deadline *deadline) {
    struct session *session = list_entry(deadline, struct session, deadline);
    struct worker *worker = session->worker;
    worker_enter(worker);
    fail(session, "the header did not arrive in time");
    worker_leave(worker);
}

void preface_hurry(struct session *session, int64_t wait_ms) {
    struct worker *worker = session->worker;
    deadline_set(&worker->deadlines, &session->deadline, wait_ms, worker->now_ns, expired);
}

bool preface_begin(struct session *session, struct front *front) {
    const struct config *config = session->worker->hold->plan->config;
    const struct network_list *trusted = &config->trusted_proxies;
    session->state = SESSION_PREFACE;
    session->front = front_ref(front);
    if ((trusted->count || trusted->local) && !network_list_holds(trusted, &session->peer_ip)) {
        fail(session, "the peer is not among trusted_proxies");
        return false;
    }
    preface_hurry(session, config->timeouts.client_header);
    return true;
}

// The header is taken from the socket byte for byte: what follows is for TLS or HTTP.
static bool take(struct session *session, const struct proxy_protocol_header *header, char *scratch) {
    size_t taken;
    if (stream_read(&session->stream, scratch, header->length, &taken) != STREAM_DONE ||
        taken != header->length) {
        fail(session, "the connection broke off");
        return false;
    }
    session->stream.readable = true; // a read of just that much says nothing of what follows
    if (header->told)
        session_set_peer(session, &header->source);
    return true;
}

static bool look(struct session *session, struct slice bytes, char *scratch) {
    struct proxy_protocol_header header;
    switch (proxy_protocol_read(bytes, &header)) {
    case PROXY_PROTOCOL_DONE:
        return take(session, &header, scratch);
    case PROXY_PROTOCOL_MORE:
        session->stream.readable = false; // the next byte brings a new edge
        if (session->stream.hangup)
            fail(session, "the connection ended inside the header");
        return false;
    case PROXY_PROTOCOL_MALFORMED:
        fail(session,
             bytes.at[0] == 'P' || bytes.at[0] == '\r' ? "the header is malformed" : "there is no header");
        return false;
    }
    return false;
}

bool preface_go_on(struct session *session) {
    if (!session->stream.readable)
        return false;
    struct buffer *buffer = buffer_take(&session->worker->buffers);
    size_t got;
    bool done = false;
    enum stream_result result = stream_peek(&session->stream, buffer_at(buffer), PROXY_PROTOCOL_MOST, &got);
    if (result == STREAM_DONE)
        done = look(session, slice_make(buffer_at(buffer), got), buffer_at(buffer));
    else if (result != STREAM_BLOCKED) // gone without a word, as a balancer's probe does
        session_close(session);
    buffer_give(buffer);
    return done;
}

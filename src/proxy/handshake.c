#include "handshake.h"
#include "base/log.h"
#include "crew.h"

static void fail(struct session *session, const char *why) {
    counter_add(&session->worker->refused[REFUSED_TLS_HANDSHAKE], 1);
    log_rationed(&session->worker->handshake_log, session->worker->now_ns, "TLS handshake failed",
                 "client=%.*s reason=%s", (int)session->peer_len, session->peer, why);
    handshake_over(session);
    session->state = SESSION_WAITING;
    session_linger(session); // the alert must not be overtaken by a reset
}

static void expired(struct deadline *deadline) {
    struct session *session = list_entry(deadline, struct session, deadline);
    struct worker *worker = session->worker;
    worker_enter(worker);
    fail(session, "it took too long");
    worker_leave(worker);
}

bool handshake_begin(struct session *session, struct tls_context *context) {
    struct worker *worker = session->worker;
    const struct config *config = worker->hold->plan->config;
    if (crew_shaking(worker->plane, config->limits.handshakes)) {
        counter_add(&worker->refused[REFUSED_HANDSHAKES], 1);
        session_close(session);
        return false;
    }
    session->state = SESSION_HANDSHAKE;
    counter_add(&worker->handshakes, 1);
    stream_secure_server(&session->stream, context);
    deadline_set(&worker->deadlines, &session->deadline, config->timeouts.handshake, worker->now_ns, expired);
    return true;
}

bool handshake_go_on(struct session *session) {
    switch (stream_handshake(&session->stream)) {
    case STREAM_DONE:
        session->subject = stream_tls_subject(&session->stream);
        handshake_over(session);
        return true;
    case STREAM_BLOCKED:
        return false;
    default:
        fail(session, stream_tls_failure(&session->stream));
        return false;
    }
}

void handshake_over(struct session *session) {
    counter_add(&session->worker->handshakes, (uint64_t)-1);
}

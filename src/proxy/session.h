// session: one client connection and its codec. Carries one exchange at a time; what the client sends ahead
// stays in the buffer, bounded by its size. Owner: its worker.
#pragma once
#include "worker.h"

enum session_state {
    SESSION_PREFACE,   // the PROXY protocol's header, before anything else
    SESSION_WAITING,   // between requests; nothing read yet
    SESSION_HANDSHAKE, // of TLS, before the first request
    SESSION_HEAD,      // a request head is arriving
    SESSION_EXCHANGE,  // session->exchange is at work
    SESSION_LINGER, // answered and shut down for writing; reading to the end, so that the answer is not reset
    SESSION_CLOSED,
};

struct session {
    struct stream stream;
    enum session_state state;
    bool ended;     // the client has sent its last byte (it may still read)
    bool advancing; // session_advance is on the stack: it goes on by itself
    uint8_t peer_len;
    struct worker *worker;
    struct exchange *exchange;
    struct buffer *in; // bytes read and not yet consumed; NULL when there are none
    struct outbox outbox;
    struct deadline deadline;
    struct link link; // in worker->sessions, or among the dead
    struct link turn; // in worker->turns, when it has something to say between requests
    size_t lingered;  // bytes thrown away while lingering
    char peer[46];    // the client's address as text
    struct ip peer_ip;
    struct front *front; // until it speaks HTTP or TLS, with a reference; then NULL
    char *subject;       // of its verified certificate; NULL: none
};

// Its turn has come: what worker->turns calls.
void session_turn(struct link *turn);
void session_open(struct worker *worker, struct front *front, int fd, const struct address *peer);
// Who the client is: what the log, X-Forwarded-For and client_ip tell of this session from now on.
void session_set_peer(struct session *session, const struct address *peer);
// Reads into session->in (taken when NULL; kept only when it holds bytes).
enum stream_result session_read(struct session *session);
// Goes on with what is buffered or readable: heads while waiting, the body while an exchange wants it.
void session_advance(struct session *session);
// The exchange has ended and its response is written: next request, linger or close.
enum session_after {
    SESSION_KEEP,
    SESSION_THEN_LINGER,
    SESSION_THEN_PART, // the client asked for the end: it sends nothing more
    SESSION_THEN_CLOSE,
    SESSION_THEN_RESET, // only the kind of end tells the client that its answer is not whole
};
void session_after_exchange(struct session *session, enum session_after after);
// The worker drains: a session between requests stays only a moment longer.
void session_drain(struct session *session);
// Nothing more is written; reads on for a while, so that what was written arrives.
void session_linger(struct session *session);
// Idempotent; an exchange must have been finished before. Under TLS the client sees a cut connection.
void session_close(struct session *session);

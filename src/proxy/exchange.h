// exchange: one request and its response. Owner: its session. The state changes only through exchange_move();
// the one exit is exchange_finish().
//
//   COLLECT -> (QUEUED ->) CONNECT -> AWAIT -> RESPOND -> FLUSH -> finished
//   AWAIT -> TUNNEL (101) -> finished
//   any of the first four -> REPLY (an answer of the proxy itself) -> finished; a failed attempt goes back to
//   QUEUED or CONNECT
#pragma once
#include "base/arena.h"
#include "http/body.h"
#include "http/strip.h"
#include "meter.h"
#include "proxy/own_error.h"
#include "session.h"

enum exchange_state {
    EXCHANGE_START,   // being decided, within one event
    EXCHANGE_COLLECT, // the body is read before the route can be known, or the request go on
    EXCHANGE_QUEUED,  // waits for room in the pool
    EXCHANGE_CONNECT, // the connection is being made
    EXCHANGE_AWAIT,   // the request is being sent, the response has not begun
    EXCHANGE_RESPOND, // the response is passed on
    EXCHANGE_TUNNEL,  // switched protocols: bytes both ways
    EXCHANGE_FLUSH,   // the response is complete, the client has not taken all of it
    EXCHANGE_REPLY,   // the proxy's own answer is written
    EXCHANGE_FREE,    // in the worker's free list
};

// Why an exchange ended; the log's `end` field.
enum finish {
    FINISH_COMPLETE,    // the client has the whole response
    FINISH_REPLIED,     // … of the proxy itself
    FINISH_CLIENT_GONE, // 499
    FINISH_CUT_SHORT,   // the upstream broke off inside the body
    FINISH_SILENT,      // a tunnel without a byte for stream_idle
    FINISH_STOPPED,     // the proxy was stopped
};
const char *finish_name(enum finish finish);

// What of the request body is kept for another attempt.
enum keeping { KEEP_NOTHING, KEEP_ALL, KEEP_LOST };

enum { ENDED_CLIENT = 1, ENDED_UPSTREAM = 2 };

struct trace;
struct exchange {
    struct exchange *next_free;
    struct session *session;
    struct worker *worker;
    struct plan_hold *hold;
    enum exchange_state state;
    struct arena arena;

    // the decision
    const struct plan_route *route; // NULL: none yet, or none matched
    struct decision decision;
    size_t serving;     // the variant that is asked: the decided one, or the fallback
    uint64_t unit_hash; // for unit_hash balancing
    struct slice
        client; // its address as text: the peer's, or what trusted proxies say; in the arena or session
    bool peer_trusted; // its X-Forwarded-* count
    bool secure;       // the client speaks TLS, with us or with a trusted proxy
    char *issued_id;   // where request_id stands when it was made here; NULL: it is the client's
    struct slice request_id, head_bytes; // head_bytes: kept when the head is needed again
    struct slice log_method, log_host, log_target, log_agent, log_endpoint; // kept when the access log is on,
                                                                            // or the request is traced
    const char *reply_reason; // of the proxy's own answer: X-Sluice-Error, the log's `reply`; NULL otherwise

    // the request
    struct framing framing;
    struct body request;
    bool to_head, idempotent, accepts_json, old_client; // old_client: HTTP/1.0
    bool asked_to_close;                                // the connection ends after this exchange
    bool continue_sent; // an Expect was answered by the proxy: it is not forwarded
    bool chunk_request; // the body goes upstream in chunks
    enum keeping keeping;
    struct strbuf head_out; // the head as it goes upstream
    size_t head_out_len;    // of it without a chunk-size line that a replay adds
    struct strbuf kept;     // body data, kept
    size_t weight;          // of kept and edited, as counted in worker->body_bytes
    struct strbuf edited;   // the body for the variant that is asked (edited.h)
    bool reads_only;        // GET, HEAD and OPTIONS: begins no task
    struct slice
        task_endpoint;       // URL of the endpoint that runs the task, until it was tried; at == NULL: none
    struct learner *learner; // of the answer's body, for ids of tasks; NULL: none (affinity.h)
    bool mirroring;          // the request is to be copied once it is complete (shadow.h)
    bool body_edited;        // … is what is sent
    bool strip_usage;        // the stream was asked for its tokens, and the client did not ask
    struct slice announced;  // names of the trailers that may go upstream; at == NULL: none may
    struct slice trailing;   // those that do, with the variant that is asked
    struct strbuf trailers,
        last_chunk; // the client's trailer section; the last chunk made of it, when there is one

    // the attempt
    struct endpoint *endpoint;     // entered (counted in); NULL otherwise
    struct connection *connection; // NULL otherwise
    struct waiter waiter;
    const struct endpoint *avoid; // failed before; only compared, never followed
    unsigned retries;
    bool stale_retried; // a dead idle connection was already replaced once
    bool head_sent;     // in this attempt the head was given to the socket
    bool touched;       // in this attempt bytes of the request may have reached the upstream

    // the response
    struct framing response_framing;
    struct body response;
    bool chunk_response;             // the body goes to the client in chunks
    bool wants_trailers;             // the client takes trailers
    struct strbuf response_trailers; // the trailer section
    struct slice response_ending;    // what its Connection names: ends here, in the trailers too
    unsigned status;                 // sent to the client; 0: none yet
    unsigned ended;                  // a tunnel's sides that have sent their last byte: ENDED_* bits
    unsigned interim;                // 1xx that came
    bool begun; // one other than 100 was passed on: what follows must come from the same upstream

    struct deadline deadline;      // of the state: queue, connect, first byte, silence
    struct deadline body_deadline; // the client's silence inside its body
    struct deadline total;
    int64_t total_ms;                    // what `total` was set for; DURATION_OFF: it was not
    const struct timeouts_config *times; // in force: the global ones, then the route's, then the variant's
    uint64_t start_ns, first_byte_ns;    // first_byte_ns 0: not yet
    uint64_t response_bytes;             // of the body, without framing
    struct meter meter;                  // of the answer
    bool stripping;                      // the tokens do not go to the client, which did not ask (stripped.h)
    struct strip strip;
    struct strbuf stripped;  // what goes on of one read
    enum error_reason blame; // what is charged to the decided variant
    uint64_t charged_ns;     // when the decided variant failed and the fallback took over; 0 otherwise
    unsigned charged_status;
    struct trace *trace;              // NULL: tracing is off (trace.h)
    struct experiment_entry evidence; // where the rollout's evidence counts it
};

// A complete request head, at `head_at`, was read into worker->request_head; its bytes are consumed but
// intact.
void exchange_start(struct session *session, const char *head_at);
// No head could be read: the refusal is answered, logged and counted, and the connection ends.
void exchange_refuse_head(struct session *session, enum reject reject);
void exchange_refuse_late_head(struct session *session);
void exchange_refuse_starved(struct session *session); // a head that comes in pieces, while memory is short
// With the head in worker->request_head: finds the route and the variant and begins the first attempt. `body`
// is NULL at the first try; when the decision needs it, it is collected (collect.c) and this is called again.
void exchange_route(struct exchange *exchange, const char *head_at, const struct slice *body);
// With the head in worker->request_head and the variant decided: goes on to the first attempt, or collects
// the body first, when it has to be edited.
void exchange_dispatch(struct exchange *exchange, const char *head_at);
void exchange_move(struct exchange *exchange, enum exchange_state to);
void exchange_finish(struct exchange *exchange, enum finish finish);
void exchange_free(struct exchange *exchange); // one from the worker's free list

// Entry points for events. Each may finish the exchange and close its session.
void exchange_client_readable(struct exchange *exchange); // or bytes are buffered
void exchange_client_writable(struct exchange *exchange); // the session's outbox is empty again
void exchange_client_gone(struct exchange *exchange);     // reset
void exchange_connection_event(struct connection *connection, short what);
void exchange_wait_for_client(
    struct exchange *exchange);                // to take what is in its outbox, for as long as client_idle
void exchange_room(struct exchange *exchange); // it is the oldest waiter, its pool may have room

// The proxy itself tells the client to go on with its body. False: the client was gone, and so is the
// exchange.
bool exchange_let_body_through(struct exchange *exchange);
// The request's body has ended, perhaps: its trailers that go upstream become the last chunk.
void exchange_note_last_chunk(struct exchange *exchange);
void exchange_body_late(struct exchange *exchange); // the client's: 408, or its answer is cut off
void exchange_set_variant(struct exchange *exchange, size_t variant); // the one that is asked from now on

// collect.c
void collect_begin(struct exchange *exchange,
                   const char *head_at);                   // and then exchange_route or _dispatch again
void collect_body(struct exchange *exchange);              // goes on collecting, as far as it goes
bool collect_was_in_vain(const struct exchange *exchange); // it is larger than what is held in memory
// total.c
void total_bound(struct exchange *exchange); // by what is in force now; again when that has changed
// attempt.c
void attempt_await(struct exchange *exchange); // (re)starts the wait for the first byte
void attempt_start(struct exchange *exchange); // chooses an endpoint, or queues
void attempt_failed(struct exchange *exchange,
                    const struct failure *failure); // before the response: retry, fall back, reply
bool attempt_again_on_status(struct exchange *exchange,
                             unsigned status); // true: the response was dropped, another attempt runs
void attempt_release(struct exchange *exchange, bool reusable); // gives the connection and endpoint back
void attempt_count_failure(struct exchange *exchange, enum error_reason reason); // passive health
// client.c
void client_find(struct exchange *exchange, const struct head *head);
struct slice client_ip(const struct exchange *exchange); // for the decision; empty when it has none
// X-Forwarded-For, -Proto and -Host; `host` is the request's own.
void client_write(const struct exchange *exchange, const struct head *head, struct slice host,
                  struct strbuf *out);
// forward.c
void forward_request_head(struct exchange *exchange, const struct head *head); // writes head_out
// The request line and all fields but those that frame the body, for exchange->serving; `head` is used up.
void forward_request_fields(struct exchange *exchange, const struct head *head, struct strbuf *out);
// Date: now. An answer that has none gets one (RFC 9110 6.6.1), and so do the proxy's own.
void forward_date(struct worker *worker, struct strbuf *out);
// What the client is told of us: the request id, the variant, the cookie.
void forward_own_fields(struct exchange *exchange, struct strbuf *out);
void forward_response_head(struct exchange *exchange, const struct head *head, struct strbuf *out);
// transfer_request.c, transfer_response.c
void transfer_request(struct exchange *exchange);  // client -> upstream, as far as it goes
void transfer_response(struct exchange *exchange); // upstream -> client, as far as it goes
// Reads into connection->in (taken when NULL; kept only when it holds bytes).
enum stream_result transfer_read(struct connection *connection, struct buffer_pool *pool);
// reply.c
// Whether the client can read our errors as JSON: it says so, or says nothing and is an API client by its own
// body.
bool reply_wants_json(const struct head *head);
void reply_error(struct exchange *exchange, enum own_error error);
void reply_reject(struct exchange *exchange, enum reject reject);
void reply_options(struct exchange *exchange); // OPTIONS that may go no further (Max-Forwards: 0)
void view_of(struct exchange *exchange, const struct head *head, struct request_view *view);

static inline const struct plan_variant *exchange_variant(const struct exchange *exchange) {
    return &exchange->route->variants[exchange->serving];
}
static inline const struct config *exchange_config(const struct exchange *exchange) {
    return exchange->hold->plan->config;
}
// Whether the whole body is here, and no larger than what is held in memory.
static inline bool exchange_has_body(const struct exchange *exchange) {
    return exchange->request.complete &&
           exchange->kept.len <= (size_t)exchange_config(exchange)->limits.buffered_body_bytes;
}
// Whenever `kept` or `edited` has grown.
static inline void exchange_weigh(struct exchange *exchange) {
    size_t weight = exchange->kept.cap + exchange->edited.cap;
    exchange->worker->body_bytes += weight - exchange->weight;
    exchange->weight = weight;
}
static inline bool exchange_responding(const struct exchange *exchange) {
    return exchange->state == EXCHANGE_RESPOND || exchange->state == EXCHANGE_TUNNEL ||
           exchange->state == EXCHANGE_FLUSH;
}

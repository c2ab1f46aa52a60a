#include "exchange.h"
#include "access_log.h"
#include "affinity.h"
#include "edited.h"
#include "http/parser.h"
#include "http/trailer.h"
#include "record.h"
#include "request_id.h"
#include "shadow.h"
#include "surplus.h"
#include "trace.h"
#include "tunnel.h"
#include <stdio.h>

// Free exchanges kept per worker, with their first arena block and buffers.
#define FREE_EXCHANGES 256
#define ARENA_BYTES    2048

// ---- states

static const uint16_t legal[] = {
    [EXCHANGE_START] = 1 << EXCHANGE_COLLECT | 1 << EXCHANGE_QUEUED | 1 << EXCHANGE_CONNECT |
                       1 << EXCHANGE_AWAIT | 1 << EXCHANGE_REPLY | 1 << EXCHANGE_FREE,
    [EXCHANGE_COLLECT] = 1 << EXCHANGE_START | 1 << EXCHANGE_REPLY | 1 << EXCHANGE_FREE,
    [EXCHANGE_QUEUED] = 1 << EXCHANGE_QUEUED | 1 << EXCHANGE_CONNECT | 1 << EXCHANGE_AWAIT |
                        1 << EXCHANGE_REPLY | 1 << EXCHANGE_FREE,
    [EXCHANGE_CONNECT] = 1 << EXCHANGE_QUEUED | 1 << EXCHANGE_CONNECT | 1 << EXCHANGE_AWAIT |
                         1 << EXCHANGE_REPLY | 1 << EXCHANGE_FREE,
    [EXCHANGE_AWAIT] = 1 << EXCHANGE_QUEUED | 1 << EXCHANGE_CONNECT | 1 << EXCHANGE_AWAIT |
                       1 << EXCHANGE_RESPOND | 1 << EXCHANGE_TUNNEL | 1 << EXCHANGE_REPLY |
                       1 << EXCHANGE_FREE,
    // … back when the answer turns out bad before any of it was sent
    [EXCHANGE_RESPOND] = 1 << EXCHANGE_AWAIT | 1 << EXCHANGE_FLUSH | 1 << EXCHANGE_FREE,
    [EXCHANGE_TUNNEL] = 1 << EXCHANGE_FREE,
    [EXCHANGE_FLUSH] = 1 << EXCHANGE_FREE,
    [EXCHANGE_REPLY] = 1 << EXCHANGE_FREE,
    [EXCHANGE_FREE] = 1 << EXCHANGE_START,
};

void exchange_move(struct exchange *exchange, enum exchange_state to) {
    must(legal[exchange->state] & (1 << to));
    exchange->state = to;
}

const char *finish_name(enum finish finish) {
    static const char *const names[] = {
        [FINISH_COMPLETE] = "complete",   [FINISH_REPLIED] = "replied", [FINISH_CLIENT_GONE] = "client_gone",
        [FINISH_CUT_SHORT] = "cut_short", [FINISH_SILENT] = "silent",   [FINISH_STOPPED] = "stopped",
    };
    return names[finish];
}

// ---- beginning

void exchange_set_variant(struct exchange *exchange, size_t variant) {
    exchange->serving = variant;
    exchange->times = &exchange_variant(exchange)->timeouts;
}

static struct exchange *exchange_new(struct session *session) {
    struct worker *worker = session->worker;
    struct exchange *exchange = worker->free_exchanges;
    if (exchange) {
        worker->free_exchanges = exchange->next_free;
        worker->free_exchange_count--;
    } else {
        exchange = mem_zero(1, sizeof *exchange);
        arena_init(&exchange->arena, ARENA_BYTES);
        exchange->state = EXCHANGE_FREE;
    }
    exchange_move(exchange, EXCHANGE_START);
    exchange->session = session;
    exchange->worker = worker;
    exchange->hold = worker_hold(worker);
    exchange->start_ns = worker->now_ns;
    exchange->times = &exchange_config(exchange)->timeouts;
    exchange->total_ms = DURATION_OFF;
    exchange->client = slice_make(session->peer, session->peer_len);
    counter_add(&worker->requests, 1);
    session->exchange = exchange;
    session->state = SESSION_EXCHANGE;
    deadline_clear(&session->deadline);
    return exchange;
}

void exchange_refuse_head(struct session *session, enum reject reject) {
    struct exchange *exchange = exchange_new(session);
    exchange->asked_to_close = true;
    exchange->request.complete = false;
    reply_reject(exchange, reject);
}

void exchange_refuse_late_head(struct session *session) {
    struct exchange *exchange = exchange_new(session);
    exchange->asked_to_close = true;
    counter_add(&session->worker->refused[REFUSED_HEADER_TIMEOUT], 1);
    reply_error(exchange, OWN_ERROR_HEADER_TIMEOUT);
}

static void remember_for_log(struct exchange *exchange, const struct head *head) {
    if (!log_lane_on(exchange->worker->log) && !trace_recorded(exchange))
        return;
    const struct field *host = head_find(head, FIELD_HOST), *agent = head_find(head, FIELD_USER_AGENT);
    exchange->log_method = arena_copy(&exchange->arena, head->method);
    exchange->log_target = arena_copy(&exchange->arena, head->target);
    exchange->log_host = host ? arena_copy(&exchange->arena, host->value) : SLICE("");
    exchange->log_agent = agent ? arena_copy(&exchange->arena, agent->value) : SLICE("");
}

// ---- deciding

static void note_decision(struct exchange *exchange) {
    struct unit unit = exchange->decision.unit;
    exchange_set_variant(exchange, exchange->decision.variant);
    // Only for unit_hash balancing: requests without a unit are spread.
    exchange->unit_hash =
        unit.source == UNIT_RANDOM ? random_next(&exchange->worker->random) : split_seed(unit.value);
}

static enum keeping wanted_keeping(const struct exchange *exchange) {
    const struct route_config *config = exchange->route->live.config;
    return config->retry || config->fallback ? KEEP_ALL : KEEP_NOTHING;
}

void exchange_dispatch(struct exchange *exchange, const char *head_at) {
    const struct plan_route *route = exchange->route;
    const struct route_config *config = route->live.config;
    const struct head *head = &exchange->worker->request_head;
    if (edited_needs_body(exchange, head) && !collect_was_in_vain(exchange)) {
        collect_begin(exchange, head_at);
        return;
    }
    if (exchange->keeping == KEEP_NOTHING)
        exchange->keeping = wanted_keeping(exchange);
    if (config->mirror)
        shadow_want(exchange, head_at);
    if (config->fallback && !exchange->head_bytes.at)
        exchange->head_bytes = arena_copy(&exchange->arena, slice_make(head_at, head->bytes));
    total_bound(exchange);
    if (!edited_make(exchange, head))
        return;
    if (route->retry_budget)
        budget_earn(route->retry_budget, exchange->worker->index, config->retry->budget);
    forward_request_head(exchange, head);
    attempt_start(exchange);
}

void exchange_route(struct exchange *exchange, const char *head_at, const struct slice *body) {
    struct worker *worker = exchange->worker;
    const struct head *head = &worker->request_head;
    struct request_view view;
    view_of(exchange, head, &view);
    if (body)
        view.body = *body;
    bool needs_body = false;
    size_t index = matcher_route(exchange->hold->plan->matcher, &view, &needs_body);
    if (needs_body && !body && !exchange->request.complete) {
        if (index != NO_ROUTE)
            exchange->times = &exchange->hold->plan->routes[index].timeouts;
        collect_begin(exchange, head_at);
        return;
    }
    if (needs_body && !body) {
        view.body = SLICE("");
        index = matcher_route(exchange->hold->plan->matcher, &view, &needs_body);
    }
    if (index == NO_ROUTE) {
        counter_add(&worker->refused[REFUSED_NO_ROUTE], 1);
        reply_error(exchange, OWN_ERROR_NO_ROUTE);
        return;
    }
    exchange->route = &exchange->hold->plan->routes[index];
    uint64_t random[2] = {random_next(&worker->random), random_next(&worker->random)};
    decide(&exchange->route->live, &view, random, &exchange->decision);
    if (exchange->route->tasks)
        affinity_decide(exchange, &view);
    note_decision(exchange);
    request_id_decided(exchange);
    record_begin(exchange);
    exchange_dispatch(exchange, head_at);
}

// A target of https that came in the clear, says a peer that we have no reason to believe (RFC 9110 15.5.20):
// the client thinks it is protected, and the upstream would be told otherwise.
static bool misdirected(const struct exchange *exchange, const struct head *head) {
    static const struct slice scheme = {"https:", 6};
    return !exchange->secure && head->target.len > scheme.len &&
           slice_equal_fold(slice_make(head->target.at, scheme.len), scheme);
}

static enum reject read_framing(struct exchange *exchange, const struct head *head, const char *head_at) {
    enum reject reject = framing_of_request(head, &exchange->framing);
    if (reject == REJECT_NONE && !exchange->framing.plain &&
        !parser_agrees_on_request(slice_make(head_at, head->bytes), head, &exchange->framing))
        reject = REJECT_PARSERS_DISAGREE;
    return reject == REJECT_NONE && misdirected(exchange, head) ? REJECT_MISDIRECTED : reject;
}

// The client's trailers go upstream as far as it has announced them; the upstream's go to a client that says
// it takes them (RFC 9110 6.5.1, 10.1.4).
static void note_trailers(struct exchange *exchange, const struct head *head) {
    exchange->wants_trailers = !exchange->old_client && head_has_token(head, FIELD_TE, SLICE("trailers"));
    if (exchange->framing.kind != BODY_CHUNKED || !head_find(head, FIELD_TRAILER))
        return;
    struct strbuf names = {0}, ending = {0};
    trailer_ending(head, &ending);
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_TRAILER)
            trailer_names(head->fields[i].value, strbuf_as_slice(&ending), &names);
    if (names.len) {
        exchange->announced = arena_copy(&exchange->arena, strbuf_as_slice(&names));
        exchange->request.chunks.trailers = &exchange->trailers;
    }
    strbuf_free(&names);
    strbuf_free(&ending);
}

void exchange_refuse_starved(struct session *session) {
    struct exchange *exchange = exchange_new(session);
    exchange->asked_to_close = true;
    surplus_refuse_memory(exchange);
}

void exchange_start(struct session *session, const char *head_at) {
    struct exchange *exchange = exchange_new(session);
    const struct head *head = &session->worker->request_head;
    exchange->request_id = request_id_make(exchange, head);
    client_find(exchange, head);
    exchange->accepts_json = reply_wants_json(head);
    exchange->to_head = slice_equal(head->method, SLICE("HEAD"));
    exchange->idempotent = method_idempotent(head->method);
    exchange->reads_only = exchange->to_head || slice_equal(head->method, SLICE("GET")) ||
                           slice_equal(head->method, SLICE("OPTIONS"));
    exchange->old_client = head->minor == 0;
    if (exchange_config(exchange)->tracing)
        trace_begin(exchange, head);
    remember_for_log(exchange, head);
    enum reject reject = read_framing(exchange, head, head_at);
    if (reject != REJECT_NONE) {
        exchange->asked_to_close = true;
        reply_reject(exchange, reject);
        return;
    }
    exchange->asked_to_close = !exchange->framing.keep_alive;
    body_start(&exchange->request, &exchange->framing);
    note_trailers(exchange, head);
    if (surplus_refuse(exchange))
        return;
    if (exchange->framing.kind == BODY_LENGTH &&
        exchange->framing.length > (uint64_t)exchange_config(exchange)->limits.body_bytes) {
        counter_add(&session->worker->refused[REFUSED_BODY_TOO_LARGE], 1);
        exchange->asked_to_close = true;
        reply_error(exchange, OWN_ERROR_BODY_TOO_LARGE);
        return;
    }
    uint64_t hops;
    if (slice_equal(head->method, SLICE("OPTIONS")) && head_max_forwards(head, &hops) && hops == 0) {
        reply_options(exchange);
        return;
    }
    exchange_route(exchange, head_at, NULL);
}

// ---- events

void exchange_client_readable(struct exchange *exchange) {
    if (exchange->state == EXCHANGE_COLLECT)
        collect_body(exchange);
    else if (exchange->state == EXCHANGE_AWAIT || exchange->state == EXCHANGE_RESPOND)
        transfer_request(exchange);
    else if (exchange->state == EXCHANGE_TUNNEL)
        tunnel_client(exchange);
}

void exchange_client_writable(struct exchange *exchange) {
    switch (exchange->state) {
    case EXCHANGE_AWAIT: // an interim response was waiting
    case EXCHANGE_RESPOND:
        transfer_response(exchange);
        break;
    case EXCHANGE_TUNNEL:
        tunnel_upstream(exchange);
        break;
    case EXCHANGE_FLUSH:
        exchange_finish(exchange, FINISH_COMPLETE);
        break;
    case EXCHANGE_REPLY:
        exchange_finish(exchange, FINISH_REPLIED);
        break;
    default: // a 100 Continue was waiting
        break;
    }
}

bool exchange_let_body_through(struct exchange *exchange) {
    struct session *session = exchange->session;
    struct segment go_on = segment_stays(SLICE("HTTP/1.1 100 Continue\r\n\r\n"));
    exchange->continue_sent = true;
    if (outbox_send(&session->outbox, &session->stream, &go_on, 1) != STREAM_FAILED)
        return true;
    exchange_client_gone(exchange);
    return false;
}

void exchange_note_last_chunk(struct exchange *exchange) {
    if (exchange->request.complete && exchange->trailing.at && !exchange->last_chunk.len)
        trailer_write(strbuf_as_slice(&exchange->trailers), exchange->trailing, SLICE_NONE,
                      &exchange->last_chunk);
}

void exchange_body_late(struct exchange *exchange) {
    counter_add(&exchange->worker->refused[REFUSED_BODY_TIMEOUT], 1);
    exchange->asked_to_close = true;
    if (exchange_responding(exchange))
        exchange_finish(exchange, FINISH_CLIENT_GONE);
    else
        reply_error(exchange, OWN_ERROR_BODY_TIMEOUT);
}

static void client_expired(struct deadline *deadline) {
    struct exchange *exchange = list_entry(deadline, struct exchange, deadline);
    struct worker *worker = exchange->worker;
    worker_enter(worker);
    exchange_finish(exchange, FINISH_CLIENT_GONE);
    worker_leave(worker);
}

void exchange_wait_for_client(struct exchange *exchange) {
    deadline_set(&exchange->worker->deadlines, &exchange->deadline, exchange->times->client_idle,
                 exchange->worker->now_ns, client_expired);
}

void exchange_client_gone(struct exchange *exchange) {
    exchange_finish(exchange, FINISH_CLIENT_GONE);
}

// ---- the one exit

// The client of HTTP/1.0 that reads until the end would take any orderly end for the end of the answer.
static bool ends_by_closing(const struct exchange *exchange) {
    enum body_kind kind = exchange->response_framing.kind;
    return exchange->old_client &&
           (exchange->state == EXCHANGE_RESPOND || exchange->state == EXCHANGE_FLUSH) &&
           (kind == BODY_CHUNKED || kind == BODY_UNTIL_CLOSE);
}

static enum session_after after(const struct exchange *exchange, enum finish finish) {
    if (finish != FINISH_COMPLETE && ends_by_closing(exchange))
        return SESSION_THEN_RESET;
    // A tunnel's messages tell their ends themselves, and the client may be sending: closed at once, its
    // connection would be reset and the upstream's last words with it.
    if (finish == FINISH_CUT_SHORT && exchange->state == EXCHANGE_TUNNEL)
        return SESSION_THEN_LINGER;
    if (finish == FINISH_CLIENT_GONE || finish == FINISH_CUT_SHORT || finish == FINISH_SILENT ||
        finish == FINISH_STOPPED)
        return SESSION_THEN_CLOSE;
    if (!exchange->request.complete)
        return SESSION_THEN_LINGER;
    if (finish == FINISH_COMPLETE && !exchange->framing.keep_alive)
        return SESSION_THEN_PART;
    return exchange->asked_to_close || exchange->worker->draining ? SESSION_THEN_LINGER : SESSION_KEEP;
}

static void reset(struct exchange *exchange) {
    struct arena arena = exchange->arena;
    struct strbuf head_out = exchange->head_out, kept = exchange->kept;
    arena_reset(&arena);
    strbuf_clear(&head_out);
    if (kept.cap > 65536) // one large upload must not stay in memory
        strbuf_free(&kept);
    strbuf_clear(&kept);
    strbuf_free(&exchange->edited);
    strbuf_free(&exchange->trailers);
    strbuf_free(&exchange->last_chunk);
    strbuf_free(&exchange->response_trailers);
    meter_end(&exchange->meter);
    affinity_end(exchange);
    strip_free(&exchange->strip);
    strbuf_free(&exchange->stripped);
    *exchange = (struct exchange){.arena = arena, .head_out = head_out, .kept = kept, .state = EXCHANGE_FREE};
}

static void give_back(struct exchange *exchange) {
    struct worker *worker = exchange->worker;
    reset(exchange);
    if (worker->free_exchange_count >= FREE_EXCHANGES) {
        exchange_free(exchange);
        return;
    }
    exchange->next_free = worker->free_exchanges;
    worker->free_exchanges = exchange;
    worker->free_exchange_count++;
}

void exchange_free(struct exchange *exchange) {
    arena_free(&exchange->arena);
    strbuf_free(&exchange->head_out);
    strbuf_free(&exchange->kept);
    mem_free(exchange);
}

void exchange_finish(struct exchange *exchange, enum finish finish) {
    struct session *session = exchange->session;
    struct worker *worker = exchange->worker;
    enum session_after next = after(exchange, finish);
    struct plan_hold *hold = exchange->hold;
    deadline_clear(&exchange->deadline);
    deadline_clear(&exchange->body_deadline);
    deadline_clear(&exchange->total);
    counter_add(&worker->requests, (uint64_t)-1);
    worker->body_bytes -= exchange->weight;
    attempt_release(exchange, false);
    record_exchange(exchange, finish);
    exchange_move(exchange, EXCHANGE_FREE);
    give_back(exchange);
    worker_release(worker, hold);
    session_after_exchange(session, next);
}

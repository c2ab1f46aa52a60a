// The heads as they go on: always written anew from slices.
#include "edited.h"
#include "exchange.h"
#include "http/cookie.h"
#include "http/hop.h"
#include "http/trailer.h"
#include "http/writer.h"
#include "linked.h"
#include "trace.h"
#include "traffic/edit.h"

#define COOKIE_SECONDS 31536000u // a year

void view_of(struct exchange *exchange, const struct head *head, struct request_view *view) {
    const struct field *host = head_find(head, FIELD_HOST);
    *view = (struct request_view){
        .head = head,
        .client_ip = client_ip(exchange),
        .peer_trusted = exchange->peer_trusted,
        .arena = &exchange->arena,
    };
    // head_read_request has checked both; a target without a path ("*") matches as it is.
    must(uri_split(head->target, &view->uri));
    struct slice authority = view->uri.authority.len ? view->uri.authority : host ? host->value : SLICE("");
    if (!uri_host(authority, &view->host))
        view->host = authority;
    view->path = uri_normal_path(view->uri.path_only, &exchange->arena);
}

// What is written anew.
#define OWN_REQUEST_FIELDS                                                                                   \
    (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |          \
     FIELD_BIT(FIELD_X_REQUEST_ID) | FIELD_BIT(FIELD_X_FORWARDED_FOR) | FIELD_BIT(FIELD_X_FORWARDED_PROTO) | \
     FIELD_BIT(FIELD_X_FORWARDED_HOST))
#define OWN_RESPONSE_FIELDS                                                                                 \
    (FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_X_REQUEST_ID) | \
     FIELD_BIT(FIELD_X_SLUICE))

static uint64_t dropped_fields(const struct exchange *exchange, const struct head *head) {
    uint64_t dropped = OWN_REQUEST_FIELDS;
    // Counted down for OPTIONS, of no meaning elsewhere (RFC 9110 7.6.2).
    if (slice_equal(head->method, SLICE("OPTIONS")))
        dropped |= FIELD_BIT(FIELD_MAX_FORWARDS);
    // Answered here, or means nothing: without a body, or from HTTP/1.0 (RFC 9110 10.1.1).
    if (exchange->continue_sent || exchange->request.complete || !exchange->framing.expect_continue)
        dropped |= FIELD_BIT(FIELD_EXPECT);
    return dropped;
}

static void mark_request(struct exchange *exchange, struct head *head) {
    hop_mark_request(head, exchange->peer_trusted);
    edit_mark(exchange_variant(exchange)->config->request, head);
    uint64_t dropped = dropped_fields(exchange, head);
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if ((dropped & FIELD_BIT(field->id)) || edited_drops(exchange, field))
            field->drop = true;
    }
}

static void write_max_forwards(const struct head *head, struct strbuf *out) {
    uint64_t hops;
    if (slice_equal(head->method, SLICE("OPTIONS")) && head_max_forwards(head, &hops) && hops > 0)
        strbuf_format(out, "Max-Forwards: %llu\r\n", (unsigned long long)hops - 1);
}

// The trailers that go on: announced, and neither set nor removed by the variant, which would otherwise be
// undone by whoever merges trailers into the head.
static void choose_trailers(struct exchange *exchange) {
    struct strbuf names = {0};
    for (struct slice rest = exchange->announced; rest.at;) {
        struct slice name = slice_trim(slice_cut(&rest, ','));
        if (edit_touches(exchange_variant(exchange)->config->request, name))
            continue;
        if (names.len)
            strbuf_literal(&names, ", ");
        strbuf_slice(&names, name);
    }
    exchange->trailing = names.len ? arena_copy(&exchange->arena, strbuf_as_slice(&names)) : SLICE_NONE;
    strbuf_free(&names);
    strbuf_clear(&exchange->last_chunk); // another variant may have chosen others
    exchange_note_last_chunk(exchange);
}

static void write_length(struct strbuf *out, uint64_t length) {
    strbuf_literal(out, "Content-Length: ");
    strbuf_u64(out, length);
    strbuf_literal(out, "\r\n");
}

static void write_request_framing(struct exchange *exchange, struct strbuf *out) {
    exchange->chunk_request = false;
    if (exchange->framing.kind == BODY_LENGTH) {
        write_length(out, edited_length(exchange, exchange->framing.length));
    } else if (exchange->framing.kind == BODY_CHUNKED && exchange->request.complete &&
               !exchange->last_chunk.len) {
        write_length(out, edited_length(exchange, exchange->request.bytes));
    } else if (exchange->framing.kind == BODY_CHUNKED) {
        strbuf_literal(out, "Transfer-Encoding: chunked\r\n");
        if (exchange->trailing.at)
            write_field(out, SLICE("Trailer"), exchange->trailing);
        exchange->chunk_request = true;
    }
}

// OPTIONS about the whole server is "*" in origin-form (RFC 9112 3.2.4).
static struct slice forwarded_target(const struct head *head, const struct uri *uri) {
    bool no_path =
        uri->authority.len && uri->authority.at + uri->authority.len == head->target.at + head->target.len;
    return no_path && slice_equal(head->method, SLICE("OPTIONS")) ? SLICE("*") : uri->path;
}

static bool sets_host(const struct request_edit_config *edit) {
    for (size_t i = 0; edit && i < edit->set_headers.count; i++)
        if (slice_equal_fold(slice_of(edit->set_headers.items[i].name), SLICE("Host")))
            return true;
    return false;
}

void forward_request_fields(struct exchange *exchange, const struct head *const_head, struct strbuf *out) {
    struct head *head = (struct head *)const_head; // only `drop` is written
    const struct plan_variant *variant = exchange_variant(exchange);
    const struct field *host_field = head_find(head, FIELD_HOST);
    struct uri uri;
    must(uri_split(head->target, &uri));
    struct slice host = uri.authority.len ? uri.authority : host_field ? host_field->value : SLICE("");
    bool baggage = head_has(head, FIELD_BIT(FIELD_BAGGAGE)); // which may have to be written anew
    mark_request(exchange, head);
    write_request_line(out, head->method, forwarded_target(head, &uri));
    if (!sets_host(variant->config->request))
        write_field(out, SLICE("Host"), host);
    trace_write(exchange, head, out);
    if (baggage || exchange->route->live.config->baggage)
        linked_write(exchange, head, baggage, out);
    write_kept_fields(out, head);
    client_write(exchange, head, host, out);
    write_max_forwards(head, out);
    // Of the message that was received (RFC 9110 7.6.3).
    write_field(out, SLICE("Via"), exchange->old_client ? SLICE("1.0 sluice") : SLICE("1.1 sluice"));
    write_field(out, SLICE("X-Request-Id"), exchange->request_id);
    if (exchange->session->subject)
        write_field(out, SLICE("X-Sluice-Client-Subject"), slice_of(exchange->session->subject));
    strbuf_slice(out, variant->told);
    if (variant->config->request)
        edit_write(variant->config->request, out);
}

void forward_request_head(struct exchange *exchange, const struct head *head) {
    struct strbuf *out = &exchange->head_out;
    strbuf_clear(out);
    choose_trailers(exchange);
    forward_request_fields(exchange, head, out);
    write_request_framing(exchange, out);
    if (exchange->framing.upgrade)
        strbuf_literal(out, "Connection: upgrade\r\nUpgrade: websocket\r\n");
    else if (exchange->wants_trailers)
        strbuf_literal(out, "Connection: te\r\nTE: trailers\r\n");
    strbuf_literal(out, "\r\n");
    exchange->head_out_len = out->len;
}

static void mark_response(struct head *head) {
    hop_mark_response(head);
    for (size_t i = 0; i < head->field_count; i++)
        if (OWN_RESPONSE_FIELDS & FIELD_BIT(head->fields[i].id))
            head->fields[i].drop = true;
}

static void write_response_trailer(struct exchange *exchange, const struct head *head, struct strbuf *out) {
    struct strbuf names = {0}, ending = {0};
    if (!exchange->wants_trailers || exchange->response_framing.kind != BODY_CHUNKED)
        return;
    strbuf_clear(&exchange->response_trailers); // another answer's, which was refused
    exchange->response.chunks.trailers = &exchange->response_trailers;
    trailer_ending(head, &ending);
    exchange->response_ending =
        ending.len ? arena_copy(&exchange->arena, strbuf_as_slice(&ending)) : SLICE_NONE;
    strbuf_free(&ending);
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_TRAILER)
            trailer_names(head->fields[i].value, exchange->response_ending, &names);
    if (names.len)
        write_field(out, SLICE("Trailer"), strbuf_as_slice(&names));
    strbuf_free(&names);
}

static void write_response_framing(struct exchange *exchange, const struct head *head, struct strbuf *out) {
    const struct field *length = head_find(head, FIELD_CONTENT_LENGTH);
    enum body_kind kind = exchange->response_framing.kind;
    exchange->chunk_response = false;
    switch (exchange->stripping && kind == BODY_LENGTH ? BODY_UNTIL_CLOSE : kind) {
    case BODY_LENGTH:
        write_length(out, exchange->response_framing.length);
        break;
    case BODY_NONE: // HEAD and 304 may tell the length of what they do not send (RFC 9110 8.6)
        if (length && (exchange->to_head || head->status == 304))
            write_field(out, SLICE("Content-Length"), length->value);
        break;
    case BODY_CHUNKED:
    case BODY_UNTIL_CLOSE:
        if (exchange->old_client) {
            exchange->asked_to_close = true;
        } else {
            strbuf_literal(out, "Transfer-Encoding: chunked\r\n");
            exchange->chunk_response = true;
            write_response_trailer(exchange, head, out);
        }
        break;
    }
}

void forward_date(struct worker *worker, struct strbuf *out) {
    if (worker->now_ns >= worker->date_end_ns) {
        uint64_t wall = clock_wall_ms();
        clock_http(wall, worker->date);
        worker->date_end_ns = worker->now_ns + (1000 - wall % 1000) * NS_PER_MS;
    }
    write_field(out, SLICE("Date"), slice_make(worker->date, sizeof worker->date - 1));
}

void forward_own_fields(struct exchange *exchange, struct strbuf *out) {
    const struct route_config *route = exchange->route->live.config;
    write_field(out, SLICE("X-Request-Id"), exchange->request_id);
    if (route->expose_variant)
        strbuf_slice(out, exchange_variant(exchange)->exposed);
    if (exchange->decision.set_cookie)
        cookie_set(out, slice_of(route->sticky.cookie), exchange->decision.cookie_value, COOKIE_SECONDS,
                   exchange->secure);
}

void forward_response_head(struct exchange *exchange, const struct head *const_head, struct strbuf *out) {
    struct head *head = (struct head *)const_head; // only `drop` is written
    mark_response(head);
    write_status_line(out, head->status, head->reason);
    write_kept_fields(out, head);
    write_response_framing(exchange, head, out);
    const struct field *date = head_find(head, FIELD_DATE);
    if (!date || date->drop)
        forward_date(exchange->worker, out);
    forward_own_fields(exchange, out);
    if (exchange->worker->draining || !exchange->request.complete)
        exchange->asked_to_close = true;
    if (exchange->asked_to_close)
        strbuf_literal(out, "Connection: close\r\n");
    else if (exchange->old_client)
        strbuf_literal(out, "Connection: keep-alive\r\n");
    strbuf_literal(out, "\r\n");
}

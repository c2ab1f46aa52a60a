#include "onward.h"

#include "http/chunk.h"
#include "http/trailer.h"
#include "http/writer.h"

void onward_same_head(const struct head *head, const struct framing *framing,
                      const struct strict_head *strict) {
    static const enum strict_kind kinds[] = {STRICT_NO_BODY, STRICT_LENGTH, STRICT_CHUNKED, STRICT_TO_END};
    must(kinds[framing->kind] == strict->kind);
    must(framing->kind != BODY_LENGTH || framing->length == strict->length);
    must(framing->keep_alive == strict->persistent);
    must(head->bytes == strict->bytes && head->minor == strict->minor);
    must(head->field_count == strict->count);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        struct slice value = strict->fields[i].value;
        must(slice_equal(field->name, strict->fields[i].name));
        while (field->id == FIELD_CONTENT_LENGTH && value.len > field->value.len && value.at[0] == '0')
            value = slice_from(value, 1);
        must(slice_equal(field->value, value));
    }
}

// ---- bodies

struct ours {
    struct strbuf data, trailers;
    size_t used;
    enum body_result result;
};

static void read_ours(struct slice rest, const struct framing *framing, enum cut cut, struct ours *ours) {
    struct body body;
    struct pieces pieces;
    struct slice piece;
    enum reject reject = REJECT_NONE;
    strbuf_clear(&ours->data);
    strbuf_clear(&ours->trailers);
    body_start(&body, framing);
    body.chunks.trailers = &ours->trailers;
    ours->used = 0;
    ours->result = body.complete ? BODY_COMPLETE : BODY_MORE;
    pieces_start(&pieces, rest, cut);
    while (ours->result == BODY_MORE && pieces_next(&pieces, &piece)) {
        size_t data, used;
        ours->result = body_feed(&body, (char *)piece.at, piece.len, &data, &used, &reject);
        must(used <= piece.len && data <= used && (ours->result != BODY_MORE || used == piece.len));
        strbuf_append(&ours->data, piece.at, data);
        ours->used += used;
    }
    must((ours->result == BODY_REJECTED) == (reject != REJECT_NONE));
    must(body.bytes == ours->data.len && body.complete == (ours->result == BODY_COMPLETE));
    must(body_end(&body) == (ours->result == BODY_COMPLETE || framing->kind == BODY_UNTIL_CLOSE));
    pieces_end(&pieces);
}

// Bytes of a known length may also go by without being looked at.
static void check_passed(const struct framing *framing, uint64_t len) {
    struct body body;
    body_start(&body, framing);
    body_passed(&body, (size_t)(len / 2));
    must(body.bytes == (len / 2 < framing->length ? len / 2 : framing->length));
    body_passed(&body, (size_t)(len - len / 2));
    must(body.bytes == (len < framing->length ? len : framing->length) &&
         body.left == framing->length - body.bytes);
    must(body.complete == (body.left == 0));
}

bool onward_same_body(struct slice rest, const struct framing *framing, const struct strict_head *strict,
                      struct strict_body *body) {
    struct ours ours = {0};
    enum strict_result result = strict_body(rest, strict, body);
    if (framing->kind == BODY_LENGTH)
        check_passed(framing, rest.len);
    enum cut cuts[] = {CUT_NOT, CUT_BYTES, (enum cut)(fuzz_hash(rest) % CUT_COUNT)};
    for (size_t i = 0; i < (framing->kind == BODY_CHUNKED ? 3u : 1u); i++) {
        read_ours(rest, framing, cuts[i], &ours);
        must((ours.result == BODY_COMPLETE) == (result == STRICT_WHOLE));
        must((ours.result == BODY_REJECTED) == (result == STRICT_WRONG));
        if (result != STRICT_WRONG)
            must(slice_equal(strbuf_as_slice(&ours.data), strbuf_as_slice(&body->data)));
        if (result == STRICT_WHOLE)
            must(ours.used == body->bytes &&
                 slice_equal(strbuf_as_slice(&ours.trailers), strbuf_as_slice(&body->trailers)));
    }
    strbuf_free(&ours.data);
    strbuf_free(&ours.trailers);
    // Which ends with the connection, and that is not cut off.
    return result == STRICT_WHOLE || strict->kind == STRICT_TO_END;
}

// ---- what goes on

static void write_chunk(struct slice data, struct strbuf *out) {
    char line[CHUNK_LINE_BYTES];
    size_t len = chunk_line_before(line + sizeof line, data.len);
    strbuf_append(out, line + sizeof line - len, len);
    strbuf_slice(out, data);
    strbuf_literal(out, "\r\n");
}

static void write_chunks(struct slice data, struct strbuf *out) {
    size_t half = data.len / 2;
    if (half)
        write_chunk(slice_make(data.at, half), out);
    if (data.len)
        write_chunk(slice_from(data, half), out);
}

static void name_trailers(const struct head *head, struct slice ending, struct strbuf *names) {
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_TRAILER)
            trailer_names(head->fields[i].value, ending, names);
}

void onward_write_framed(const struct head *head, bool chunked, bool trailers, const struct strict_body *body,
                         struct strbuf *out) {
    struct strbuf ending = {0}, names = {0};
    trailer_ending(head, &ending);
    if (trailers)
        name_trailers(head, strbuf_as_slice(&ending), &names);
    if (chunked) {
        strbuf_literal(out, "Transfer-Encoding: chunked\r\n");
        if (names.len)
            write_field(out, SLICE("Trailer"), strbuf_as_slice(&names));
        strbuf_literal(out, "\r\n");
        write_chunks(strbuf_as_slice(&body->data), out);
        size_t before = out->len;
        if (!trailers ||
            !trailer_write(strbuf_as_slice(&body->trailers), SLICE_NONE, strbuf_as_slice(&ending), out)) {
            must(out->len == before);
            strbuf_literal(out, CHUNK_LAST);
        }
    } else {
        strbuf_format(out, "Content-Length: %zu\r\n\r\n", body->data.len);
        strbuf_slice(out, strbuf_as_slice(&body->data));
    }
    strbuf_free(&ending);
    strbuf_free(&names);
}

// ---- what must hold of it

// Fields of one hop, and what only the proxy says: never passed on as they came.
static bool stays_here(struct slice name) {
    static const char *const names[] = {
        "Connection",     "Keep-Alive",         "Proxy-Connection",    "TE",       "Upgrade", "Trailer",
        "HTTP2-Settings", "Proxy-Authenticate", "Proxy-Authorization", "X-Sluice", "X_Sluice"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strict_same_name(name, slice_of(names[i])))
            return true;
    return name.len > 9 && (strict_same_name(slice_make(name.at, 9), SLICE("X-Sluice-")) ||
                            strict_same_name(slice_make(name.at, 9), SLICE("X-Sluice_")) ||
                            strict_same_name(slice_make(name.at, 9), SLICE("X_Sluice-")) ||
                            strict_same_name(slice_make(name.at, 9), SLICE("X_Sluice_")));
}

// The fields of `to` but ours are some of those of `from`, in their order.
static void check_fields(const struct strict_head *from, const struct strict_head *to) {
    size_t next = 0;
    for (size_t i = 0; i < to->count; i++) {
        struct slice name = to->fields[i].name;
        if (slice_equal(name, SLICE("Host")) || slice_equal(name, SLICE("Content-Length")) ||
            slice_equal(name, SLICE("Transfer-Encoding")) || slice_equal(name, SLICE("Trailer")))
            continue;
        must(!stays_here(name));
        while (next < from->count && !(slice_equal(from->fields[next].name, name) &&
                                       slice_equal(from->fields[next].value, to->fields[i].value)))
            next++;
        must(next++ < from->count);
    }
}

// No trailer frames, routes, authenticates or speaks for us.
static void check_trailers(struct slice section) {
    static const char *const forbidden[] = {"Content-Length",
                                            "Transfer-Encoding",
                                            "Host",
                                            "Connection",
                                            "Authorization",
                                            "Cookie",
                                            "Set-Cookie",
                                            "TE",
                                            "Trailer",
                                            "Upgrade",
                                            "Expect",
                                            "Content-Type",
                                            "Content-Encoding",
                                            "Via",
                                            "Forwarded",
                                            "X-Forwarded-For",
                                            "X-Request-Id",
                                            "Max-Forwards",
                                            "Cache-Control"};
    while (section.len) {
        size_t end = slice_find(section, ':');
        struct slice name = slice_make(section.at, end);
        must(!stays_here(name) && slice_find(name, '_') == name.len);
        for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
            must(!strict_same_name(name, slice_of(forbidden[i])));
        section = slice_from(section, slice_find(section, '\n') + 1);
    }
}

void onward_check(struct slice out, bool request, bool to_head, const struct strict_head *from,
                  const struct strict_body *body) {
    static struct strict_head to;
    struct strict_body again = {0};
    struct slice value;
    must((request ? strict_request(out, &to) : strict_response(out, to_head, &to)) == STRICT_WHOLE);
    must(strict_find(&to, "Content-Length", &value) + strict_find(&to, "Transfer-Encoding", &value) <= 1);
    must(to.kind != STRICT_TO_END);
    check_fields(from, &to);
    must(strict_body(slice_from(out, to.bytes), &to, &again) == STRICT_WHOLE);
    must(to.bytes + again.bytes == out.len); // one message and nothing else
    if (request)
        must(slice_equal(to.method, from->method) && strict_find(&to, "Host", &value) == 1);
    else
        must(to.status == from->status);
    must(slice_equal(strbuf_as_slice(&again.data), strbuf_as_slice(&body->data)));
    check_trailers(strbuf_as_slice(&again.trailers));
    strict_body_free(&again);
}

#include "edited.h"

#include "http/uri.h"
#include "traffic/body_edit.h"

static const struct request_edit_config *edit_of(const struct exchange *exchange, size_t variant) {
    return exchange->route->variants[variant].config->request;
}

static struct slice path_of(const struct head *head) {
    struct uri uri;
    must(uri_split(head->target, &uri)); // the head was checked when it came
    return uri.path_only;
}

// Whether the route may change bodies at all: nearly none does.
static bool route_edits(const struct exchange *exchange) {
    const struct route_config *config = exchange->route->live.config;
    return config->count_stream_tokens || body_edit_wanted(edit_of(exchange, exchange->decision.variant)) ||
           (config->fallback && body_edit_wanted(edit_of(exchange, config->fallback_index)));
}

static bool asks_for_tokens(const struct exchange *exchange, const struct head *head) {
    return exchange->route->live.config->count_stream_tokens && !body_edit_coded(head) &&
           body_edit_may_stream(path_of(head));
}

// Whether the variant in charge edits this body.
static bool edits(const struct exchange *exchange, size_t variant, const struct head *head) {
    return body_edit_wanted(edit_of(exchange, variant)) && body_edit_applies(head);
}

bool edited_needs_body(const struct exchange *exchange, const struct head *head) {
    const struct route_config *config = exchange->route->live.config;
    if (!route_edits(exchange) || exchange->request.complete || exchange->framing.upgrade)
        return false;
    return edits(exchange, exchange->decision.variant, head) ||
           (config->fallback && edits(exchange, config->fallback_index, head)) ||
           (body_edit_applies(head) && asks_for_tokens(exchange, head));
}

static bool refuse(struct exchange *exchange, enum refusal refusal, enum own_error error) {
    counter_add(&exchange->worker->refused[refusal], 1);
    reply_error(exchange, error);
    return false;
}

static bool refuse_result(struct exchange *exchange, enum rewrite_result result) {
    if (result == REWRITE_TOO_DEEP)
        return refuse(exchange, REFUSED_BODY_TOO_DEEP, OWN_ERROR_BODY_TOO_DEEP);
    if (result == REWRITE_NO_PLACE)
        return refuse(exchange, REFUSED_BODY_NO_PLACE, OWN_ERROR_BODY_NO_PLACE);
    return refuse(exchange, REFUSED_BODY_NOT_JSON, OWN_ERROR_BODY_NOT_JSON);
}

// The variant's own edits. What cannot be edited is refused: sent as it is, it would ask another model or
// another prompt than the variant stands for, and what a lenient reader makes of it nobody knows.
static bool make_edits(struct exchange *exchange, const struct head *head) {
    if (body_edit_coded(head))
        return refuse(exchange, REFUSED_BODY_CODED, OWN_ERROR_BODY_CODED);
    if (!exchange_has_body(exchange)) {
        exchange->asked_to_close = !exchange->request.complete;
        return refuse(exchange, REFUSED_BODY_TOO_LARGE_TO_EDIT, OWN_ERROR_BODY_TOO_LARGE_TO_EDIT);
    }
    enum rewrite_result result = body_edit(edit_of(exchange, exchange->serving), path_of(head),
                                           strbuf_as_slice(&exchange->kept), &exchange->edited);
    if (result != REWRITE_DONE)
        return refuse_result(exchange, result);
    exchange_weigh(exchange);
    exchange->body_edited = true;
    return true;
}

// Only counted: what cannot be read passes as it is.
static void ask_for_tokens(struct exchange *exchange) {
    struct strbuf asking = {0};
    if (!exchange_has_body(exchange) || !body_edit_ask_usage(edited_body(exchange), &asking)) {
        strbuf_free(&asking);
        return;
    }
    strbuf_free(&exchange->edited);
    exchange->edited = asking;
    exchange_weigh(exchange);
    exchange->body_edited = exchange->strip_usage = true;
}

bool edited_make(struct exchange *exchange, const struct head *head) {
    exchange->body_edited = exchange->strip_usage = false;
    strbuf_clear(&exchange->edited);
    if (!route_edits(exchange) || exchange->framing.upgrade)
        return true;
    bool has_body = !exchange->request.complete || exchange->request.bytes > 0;
    if (has_body && edits(exchange, exchange->serving, head) && !make_edits(exchange, head))
        return false;
    if (has_body && body_edit_applies(head) && asks_for_tokens(exchange, head))
        ask_for_tokens(exchange);
    return true;
}

bool edited_copy(const struct exchange *exchange, const struct head *head, size_t variant, struct strbuf *out,
                 bool *edited) {
    struct slice kept = strbuf_as_slice(&exchange->kept);
    struct strbuf asking = {0};
    *edited = kept.len && edits(exchange, variant, head);
    if (!*edited)
        strbuf_slice(out, kept);
    else if (body_edit_coded(head) ||
             body_edit(edit_of(exchange, variant), path_of(head), kept, out) != REWRITE_DONE)
        return false;
    if (!out->len || !body_edit_applies(head) || !asks_for_tokens(exchange, head) ||
        !body_edit_ask_usage(strbuf_as_slice(out), &asking))
        return true;
    strbuf_free(out);
    *out = asking;
    *edited = true;
    return true;
}

bool edited_drops(const struct exchange *exchange, const struct field *field) {
    static const struct slice digests[] = {
        {"Content-Digest", 14}, {"Repr-Digest", 11}, {"Digest", 6}, {"Content-MD5", 11}};
    if (!exchange->body_edited)
        return false;
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++)
        if (slice_equal_fold(field->name, digests[i]))
            return true;
    // What is to be taken out of the stream must be readable.
    return exchange->strip_usage && slice_equal_fold(field->name, SLICE("Accept-Encoding"));
}

#include "http/parser.h"
#include <llhttp.h>

// Stops behind the head: bodies are read by body.h.
static int stop(llhttp_t *parser) {
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {.on_headers_complete = stop};

static bool feed(llhttp_t *parser, const char *from, const char *to) {
    return llhttp_execute(parser, from, (size_t)(to - from)) == HPE_OK;
}

static bool knows_method(struct slice method) {
    static const struct slice known[] = {
        {"GET", 3}, {"POST", 4}, {"HEAD", 4}, {"PUT", 3}, {"DELETE", 6}, {"OPTIONS", 7}, {"PATCH", 5},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_equal(method, known[i]))
            return true;
    return false;
}

static bool frames(const struct field *field) {
    return field->id == FIELD_CONTENT_LENGTH || field->id == FIELD_TRANSFER_ENCODING;
}

// The value stands as ":value" or ": value" directly before its CRLF.
static bool plainly_spaced(const struct field *field) {
    const char *colon = field->name.at + field->name.len;
    return (field->value.at == colon + 1 || (field->value.at == colon + 2 && colon[1] == ' ')) &&
           field->value.at[field->value.len] == '\r';
}

// Gives llhttp the head as it came, with two exceptions, so that nothing legal is refused: a method it does
// not know (any token is one; framing of requests does not depend on it) is read to it as POST, and a
// Content-Length or Transfer-Encoding with unusual but legal white space or leading zeros is read in the form
// in which we forward it. Usually that is one piece and one call. True when llhttp stopped at the end of the
// head and nowhere else.
static bool read_head(llhttp_t *parser, struct slice bytes, const struct head *head) {
    const char *at = head->method.len ? head->method.at : bytes.at; // behind tolerated empty lines
    const char *end = bytes.at + head->bytes;
    if (head->method.len && !knows_method(head->method)) {
        static const char post[] = "POST";
        if (!feed(parser, post, post + sizeof post - 1))
            return false;
        at += head->method.len;
    }
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        if (!frames(field) || plainly_spaced(field))
            continue;
        static const char space[] = " ";
        const char *value_end = field->value.at + field->value.len;
        if (!feed(parser, at, field->name.at + field->name.len + 1) || !feed(parser, space, space + 1) ||
            !feed(parser, field->value.at, value_end))
            return false;
        at = value_end + strspn(value_end, " \t"); // CRLF follows: the head is complete
    }
    if (llhttp_execute(parser, at, (size_t)(end - at)) != HPE_PAUSED)
        return false;
    const char *stopped = llhttp_get_error_pos(parser);
    return stopped == end || stopped == end - 1;
}

static enum body_kind kind_of(const llhttp_t *parser, enum body_kind without_length) {
    if (parser->flags & F_CHUNKED)
        return BODY_CHUNKED;
    return parser->flags & F_CONTENT_LENGTH ? BODY_LENGTH : without_length;
}

static bool same_framing(const llhttp_t *parser, const struct framing *framing,
                         enum body_kind without_length) {
    enum body_kind kind = kind_of(parser, without_length);
    bool coded = parser->flags & F_TRANSFER_ENCODING;
    return kind == framing->kind && (kind != BODY_LENGTH || parser->content_length == framing->length) &&
           coded == (kind == BODY_CHUNKED);
}

bool parser_agrees_on_request(struct slice head_bytes, const struct head *head,
                              const struct framing *framing) {
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    return read_head(&parser, head_bytes, head) && parser.http_major == 1 &&
           parser.http_minor == head->minor && same_framing(&parser, framing, BODY_NONE);
}

bool parser_agrees_on_response(struct slice head_bytes, const struct head *head,
                               const struct framing *framing, bool to_head) {
    llhttp_t parser;
    llhttp_init(&parser, HTTP_RESPONSE, &settings);
    if (!read_head(&parser, head_bytes, head) || parser.http_major != 1 || parser.http_minor != head->minor ||
        parser.status_code != head->status)
        return false;
    // llhttp leaves it to its caller that these have no body.
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
        return framing->kind == BODY_NONE;
    return same_framing(&parser, framing, BODY_UNTIL_CLOSE);
}

bool parser_is_strict(void) {
    static const char hidden[] = "POST / HTTP/1.1\r\nHost: a\r\nX-Abc:\rxTransfer-Encoding: chunked\r\n\r\n";
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    llhttp_errno_t error = llhttp_execute(&parser, hidden, sizeof hidden - 1);
    return error != HPE_OK && error != HPE_PAUSED;
}

// request: what a client sends, one request behind the other. Ours (head, framing, body) and the strict
// reader must read the same messages, or both none; however the bytes are cut; and what goes on to the
// upstream must be the same messages again, each with one framing.
#include "../fuzz.h"
#include "../strict_http.h"
#include "http/hop.h"
#include "http/parser.h"
#include "http/uri.h"
#include "http/writer.h"
#include "onward.h"

static const struct head_limits limits = {.target_bytes = 300, .head_bytes = 3000};

#define DRIBBLE_BYTES \
    2048 // a longer head that is not all here is not looked at again for every byte (head.c)

struct reading {
    enum head_result result;
    enum reject reject;
    struct head head;
    struct framing framing;
};

// As the proxy does it, except that llhttp is asked about every head: it must agree where nobody asks it.
static void read_ours(struct slice bytes, struct reading *ours) {
    ours->reject = REJECT_NONE;
    ours->result = head_read_request(bytes, &limits, &ours->head, &ours->reject);
    must((ours->result == HEAD_REJECTED) == (ours->reject != REJECT_NONE));
    if (ours->result != HEAD_COMPLETE)
        return;
    ours->reject = framing_of_request(&ours->head, &ours->framing);
    if (ours->reject == REJECT_NONE && !parser_agrees_on_request(bytes, &ours->head, &ours->framing)) {
        must(!ours->framing.plain);
        ours->reject = REJECT_PARSERS_DISAGREE;
    }
    if (ours->reject != REJECT_NONE)
        ours->result = HEAD_REJECTED;
}

// Where ours is stricter than any reader of HTTP needs to be: limits, methods and expectations of no use.
static bool stricter(enum reject reject) {
    switch (reject) {
    case REJECT_TARGET_TOO_LONG:
    case REJECT_HEAD_TOO_LARGE:
    case REJECT_TOO_MANY_FIELDS:
    case REJECT_CONNECT:
    case REJECT_TRACE:
    case REJECT_BAD_METHOD:      // longer than 64 bytes, or a standard one but for its case
    case REJECT_BAD_START_LINE:  // more than four empty lines before it
    case REJECT_EXPECTATION:     // other than 100-continue
    case REJECT_BAD_FIELD_VALUE: // more than 64 options in Connection
        return true;
    default:
        return false;
    }
}

static void compare(const struct reading *ours, enum strict_result result, const struct strict_head *strict) {
    if (ours->result == HEAD_REJECTED) {
        must(result == STRICT_WRONG || stricter(ours->reject));
        return;
    }
    if (ours->result == HEAD_PARTIAL) {
        must(result != STRICT_WHOLE);
        return;
    }
    must(result == STRICT_WHOLE);
    must(slice_equal(ours->head.method, strict->method) && slice_equal(ours->head.target, strict->target));
    onward_same_head(&ours->head, &ours->framing, strict);
}

// Of a part that is here already the verdict is that of the whole, or none yet.
static void check_part(struct slice bytes, size_t len, const struct reading *whole) {
    struct reading part;
    char *exact = mem_alloc(len);
    memcpy(exact, bytes.at, len);
    read_ours(slice_make(exact, len), &part);
    bool not_looked_at = whole->result == HEAD_PARTIAL && bytes.len > DRIBBLE_BYTES;
    if (part.result == HEAD_REJECTED && !not_looked_at)
        must(whole->result == HEAD_REJECTED && part.reject == whole->reject);
    if (part.result == HEAD_COMPLETE)
        must(whole->result == HEAD_COMPLETE && part.head.bytes == whole->head.bytes);
    if (whole->result == HEAD_COMPLETE)
        must((part.result == HEAD_COMPLETE) == (len >= whole->head.bytes));
    mem_free(exact);
}

static void check_parts(struct slice bytes, const struct reading *whole) {
    uint64_t random = fuzz_hash(bytes);
    for (int i = 0; i < 3; i++, random >>= 16)
        if (bytes.len > 1)
            check_part(bytes, 1 + random % (bytes.len - 1), whole);
    if (whole->result == HEAD_COMPLETE)
        check_part(bytes, whole->head.bytes - 1, whole);
}

#define WRITTEN_ANEW \
    (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING))

static void forward(struct head *head, const struct strict_head *strict, const struct strict_body *body) {
    struct strbuf out = {0};
    struct uri uri;
    struct slice host;
    uint64_t random = fuzz_hash(head->target);
    must(uri_split(head->target, &uri) && slice_equal(uri.authority, strict->authority));
    must(slice_equal(uri.path, strict->path.len ? strict->path : SLICE("/")));
    if (!strict_find(strict, "Host", &host)) // HTTP/1.0
        host = SLICE("none");
    hop_mark_request(head, random & 1);
    for (size_t i = 0; i < head->field_count; i++)
        if (WRITTEN_ANEW & FIELD_BIT(head->fields[i].id))
            head->fields[i].drop = true;
    write_request_line(&out, head->method, uri.path);
    write_field(&out, SLICE("Host"), uri.authority.len ? uri.authority : host);
    write_kept_fields(&out, head);
    onward_write_framed(head, strict->kind == STRICT_CHUNKED, random & 2, body, &out);
    onward_check(strbuf_as_slice(&out), true, false, strict, body);
    strbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct reading ours;
    static struct strict_head strict;
    struct strict_body body = {0};
    struct slice rest = slice_make((const char *)data, size);
    for (int messages = 0; rest.len && messages < 4; messages++) {
        read_ours(rest, &ours);
        enum strict_result result = strict_request(rest, &strict);
        compare(&ours, result, &strict);
        check_parts(rest, &ours);
        if (ours.result != HEAD_COMPLETE ||
            !onward_same_body(slice_from(rest, ours.head.bytes), &ours.framing, &strict, &body))
            break;
        forward(&ours.head, &strict, &body);
        rest = slice_from(rest, ours.head.bytes + body.bytes);
    }
    strict_body_free(&body);
    return 0;
}

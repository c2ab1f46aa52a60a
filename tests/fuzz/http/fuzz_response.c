// response: what an upstream sends: interim answers, then a final one, to GET and to HEAD. Ours and the
// strict reader must read the same, or both nothing; however the bytes are cut; and what goes on to the
// client must be the same answer again, with one framing.
#include "../fuzz.h"
#include "../strict_http.h"
#include "http/hop.h"
#include "http/parser.h"
#include "http/writer.h"
#include "onward.h"

static const struct head_limits limits = {.target_bytes = 1, .head_bytes = 3000};

#define DRIBBLE_BYTES \
    2048 // a longer head that is not all here is not looked at again for every byte (head.c)

struct reading {
    enum head_result result;
    enum reject reject;
    struct head head;
    struct framing framing;
};

// As the proxy does it, except that llhttp is asked about every head: it must agree where nobody asks it.
static void read_ours(struct slice bytes, bool to_head, struct reading *ours) {
    ours->reject = REJECT_NONE;
    ours->result = head_read_response(bytes, &limits, &ours->head, &ours->reject);
    must((ours->result == HEAD_REJECTED) == (ours->reject != REJECT_NONE));
    if (ours->result != HEAD_COMPLETE)
        return;
    ours->reject = framing_of_response(&ours->head, to_head, &ours->framing);
    if (ours->reject == REJECT_NONE &&
        !parser_agrees_on_response(bytes, &ours->head, &ours->framing, to_head)) {
        must(!ours->framing.plain);
        ours->reject = REJECT_PARSERS_DISAGREE;
    }
    if (ours->reject != REJECT_NONE)
        ours->result = HEAD_REJECTED;
}

static bool stricter(enum reject reject) { // limits; more than 64 options in Connection
    return reject == REJECT_HEAD_TOO_LARGE || reject == REJECT_TOO_MANY_FIELDS ||
           reject == REJECT_BAD_FIELD_VALUE;
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
    must(ours->head.status == strict->status && slice_equal(ours->head.reason, strict->reason));
    onward_same_head(&ours->head, &ours->framing, strict);
}

// Of a part that is here already the verdict is that of the whole, or none yet.
static void check_part(struct slice bytes, size_t len, bool to_head, const struct reading *whole) {
    struct reading part;
    char *exact = mem_alloc(len);
    memcpy(exact, bytes.at, len);
    read_ours(slice_make(exact, len), to_head, &part);
    bool not_looked_at = whole->result == HEAD_PARTIAL && bytes.len > DRIBBLE_BYTES;
    if (part.result == HEAD_REJECTED && !not_looked_at)
        must(whole->result == HEAD_REJECTED && part.reject == whole->reject);
    if (part.result == HEAD_COMPLETE)
        must(whole->result == HEAD_COMPLETE && part.head.bytes == whole->head.bytes);
    if (whole->result == HEAD_COMPLETE)
        must((part.result == HEAD_COMPLETE) == (len >= whole->head.bytes));
    mem_free(exact);
}

static void check_parts(struct slice bytes, bool to_head, const struct reading *whole) {
    uint64_t random = fuzz_hash(bytes);
    for (int i = 0; i < 2; i++, random >>= 16)
        if (bytes.len > 1)
            check_part(bytes, 1 + random % (bytes.len - 1), to_head, whole);
    if (whole->result == HEAD_COMPLETE)
        check_part(bytes, whole->head.bytes - 1, to_head, whole);
}

static void forward(struct head *head, bool to_head, const struct strict_head *strict,
                    const struct strict_body *body) {
    struct strbuf out = {0};
    bool no_body = strict->kind == STRICT_NO_BODY;
    hop_mark_response(head);
    for (size_t i = 0; i < head->field_count; i++)
        if ((FIELD_BIT(FIELD_CONTENT_LENGTH) | FIELD_BIT(FIELD_TRANSFER_ENCODING)) &
            FIELD_BIT(head->fields[i].id))
            head->fields[i].drop = true;
    write_status_line(&out, head->status, head->reason);
    write_kept_fields(&out, head);
    if (no_body)
        strbuf_literal(&out, "\r\n");
    else
        onward_write_framed(head, strict->kind != STRICT_LENGTH, fuzz_hash(head->reason) & 1, body, &out);
    onward_check(strbuf_as_slice(&out), false, to_head, strict, body);
    strbuf_free(&out);
}

static void check(struct slice rest, bool to_head) {
    static struct reading ours;
    static struct strict_head strict;
    struct strict_body body = {0};
    for (int messages = 0; rest.len && messages < 4; messages++) {
        read_ours(rest, to_head, &ours);
        enum strict_result result = strict_response(rest, to_head, &strict);
        compare(&ours, result, &strict);
        check_parts(rest, to_head, &ours);
        if (ours.result != HEAD_COMPLETE ||
            !onward_same_body(slice_from(rest, ours.head.bytes), &ours.framing, &strict, &body))
            break;
        forward(&ours.head, to_head, &strict, &body);
        rest = slice_from(rest, ours.head.bytes + body.bytes);
    }
    strict_body_free(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice bytes = slice_make((const char *)data, size);
    check(bytes, false);
    check(bytes, true);
    return 0;
}

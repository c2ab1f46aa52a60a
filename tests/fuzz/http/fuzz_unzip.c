// unzip: the same body as text and as gzip says the same of its tokens, however it is cut; and what is no
// gzip does no harm. The input: 'z' and a body of events, 'Z' and one of JSON, anything else and gzip bytes.
#include "../fuzz.h"
#include "base/strbuf.h"
#include "http/usage.h"
#include "http/zip.h"

static void read_usage(struct usage *usage, struct slice body, const char *type, const char *coding,
                       enum cut cut) {
    struct pieces pieces;
    struct slice piece;
    usage_start(usage, slice_of(type), slice_of(coding));
    pieces_start(&pieces, body, cut);
    while (pieces_next(&pieces, &piece))
        usage_feed(usage, piece);
    pieces_end(&pieces);
    usage_end(usage);
}

// Two members, of which a gzip file may consist, when the body is long enough.
static void zip(struct slice body, struct strbuf *out) {
    size_t half = body.len > 40 ? body.len / 2 : body.len;
    zip_text(slice_make(body.at, half), out);
    if (half < body.len)
        zip_text(slice_from(body, half), out);
}

static void compare(struct slice body, const char *type) {
    struct usage plain = {0}, zipped = {0};
    struct strbuf bytes = {0};
    zip(body, &bytes);
    read_usage(&plain, body, type, "identity", CUT_NOT);
    read_usage(&zipped, strbuf_as_slice(&bytes), type, "gzip", (enum cut)(fuzz_hash(body) % CUT_COUNT));
    must(plain.counted == zipped.counted && plain.failed == zipped.failed && plain.ended == zipped.ended);
    must(plain.prompt == zipped.prompt && plain.completion == zipped.completion);
    must(plain.contents == zipped.contents && usage_finish(&plain) == usage_finish(&zipped));
    strbuf_free(&bytes);
}

static bool count(void *context, struct slice text) {
    *(size_t *)context += text.len;
    return true;
}

// Of bytes that are no gzip at least as much comes out as was promised not to be exceeded.
static void unpack(struct slice bytes) {
    struct unzip *unzip = unzip_new();
    struct pieces pieces;
    struct slice piece;
    size_t text = 0;
    bool goes_on = true;
    pieces_start(&pieces, bytes, CUT_MIXED);
    while (goes_on && pieces_next(&pieces, &piece))
        goes_on = unzip_feed(unzip, piece, count, &text);
    must(text <= bytes.len * UNZIP_RATIO + (80 << 10)); // the ratio holds from 64 KiB on, a few KiB at a time
    pieces_end(&pieces);
    unzip_free(unzip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice body = slice_make((const char *)data, size);
    struct usage usage = {0};
    if (!size)
        return 0;
    body = slice_from(body, 1);
    if (data[0] == 'z') {
        compare(body, "text/event-stream; charset=utf-8");
    } else if (data[0] == 'Z') {
        compare(body, "application/json");
    } else {
        unpack(body);
        read_usage(&usage, body, "text/event-stream", "x-gzip", CUT_SMALL);
    }
    return 0;
}

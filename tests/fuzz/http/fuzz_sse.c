// sse: the body of an answer as it is read for its tokens, and what is taken out of a stream on its way. The
// input: one byte that says what it is, the body. Nothing hangs on how the body is cut; events are those that
// a simple reader finds; of what is passed on only `usage` is missing.
#include "../fuzz.h"
#include "../strict_json.h"
#include "base/strbuf.h"
#include "http/sse.h"
#include "http/strip.h"
#include "http/usage.h"

#include <jansson.h>

// ---- usage

struct told {
    bool counted, failed, ended, unfinished;
    uint64_t prompt, completion, contents;
    enum finish_reason finish;
};

static struct told read_usage(struct slice body, const char *type, enum cut cut) {
    static struct usage usage;
    struct pieces pieces;
    struct slice piece;
    usage_start(&usage, slice_of(type), SLICE("identity"));
    pieces_start(&pieces, body, cut);
    while (pieces_next(&pieces, &piece))
        usage_feed(&usage, piece);
    pieces_end(&pieces);
    struct told told = {usage.counted, usage.failed,     usage.ended,    usage_unfinished(&usage),
                        usage.prompt,  usage.completion, usage.contents, usage_finish(&usage)};
    usage_end(&usage);
    return told;
}

static void same(const struct told *a, const struct told *b) {
    must(a->counted == b->counted && a->prompt == b->prompt && a->completion == b->completion);
    must(a->finish == b->finish && a->ended == b->ended && a->failed == b->failed);
    must(a->contents == b->contents && a->unfinished == b->unfinished);
}

static void check_usage(struct slice body, const char *type) {
    struct told whole = read_usage(body, type, CUT_NOT);
    for (enum cut cut = CUT_BYTES; cut <= CUT_SMALL; cut++) {
        struct told told = read_usage(body, type, cut);
        same(&whole, &told);
    }
}

// ---- events: their data, a mark behind each

#define MARK '\x1e'

static void read_events(struct slice body, enum cut cut, struct strbuf *out) {
    struct sse sse;
    struct pieces pieces;
    struct slice piece, data;
    sse_start(&sse);
    pieces_start(&pieces, body, cut);
    while (pieces_next(&pieces, &piece)) {
        enum sse_piece got;
        while ((got = sse_next(&sse, &piece, &data)) != SSE_NONE) {
            if (got != SSE_END)
                strbuf_slice(out, data);
            if (got != SSE_DATA)
                strbuf_char(out, MARK);
        }
        must(piece.len == 0);
    }
    pieces_end(&pieces);
}

// The line at the front, without its end.
static struct slice take_line(struct slice *rest) {
    size_t len = 0;
    while (len < rest->len && rest->at[len] != '\n' && rest->at[len] != '\r')
        len++;
    struct slice line = slice_make(rest->at, len);
    bool both = rest->len - len > 1 && rest->at[len] == '\r' && rest->at[len + 1] == '\n';
    *rest = slice_from(*rest, len + 1 + both);
    return line;
}

static void model_events(struct slice rest, struct strbuf *out) {
    bool any = false;
    while (rest.len) {
        struct slice line = take_line(&rest);
        if (!line.len) {
            strbuf_char(out, MARK);
            any = false;
        } else if (slice_starts(line, SLICE("data:"))) {
            if (any)
                strbuf_char(out, '\n');
            strbuf_slice(out, slice_from(line, 5));
            any = true;
        }
    }
}

static void check_events(struct slice body) {
    struct strbuf model = {0}, ours = {0};
    model_events(body, &model);
    for (enum cut cut = CUT_NOT; cut <= CUT_SMALL; cut++) {
        strbuf_clear(&ours);
        read_events(body, cut, &ours);
        must(slice_equal(strbuf_as_slice(&ours), strbuf_as_slice(&model)));
    }
    strbuf_free(&model);
    strbuf_free(&ours);
}

// ---- strip

static void strip(struct slice body, enum cut cut, struct strbuf *out) {
    struct strip strip = {0};
    struct pieces pieces;
    struct slice piece;
    pieces_start(&pieces, body, cut);
    while (pieces_next(&pieces, &piece))
        strip_feed(&strip, piece, out);
    strip_end(&strip, out);
    strip_free(&strip);
    pieces_end(&pieces);
}

// The event at the front with its empty line; all that is left when it has none.
static struct slice take_event(struct slice *rest) {
    const char *begin = rest->at;
    while (rest->len && take_line(rest).len)
        ;
    return slice_make(begin, (size_t)(rest->at - begin));
}

static bool mentions(struct slice event) {
    return event.len && memmem(event.at, event.len, "\"usage\"", 7);
}

// An event with one line of data that is an object has no `usage` any more.
static void check_stripped(struct slice event) {
    struct slice data = SLICE_NONE;
    unsigned lines = 0, depth;
    while (event.len) {
        struct slice line = take_line(&event);
        if (!slice_starts(line, SLICE("data:")))
            continue;
        data = slice_from(line, 5);
        lines++;
    }
    json_t *object = NULL;
    if (lines == 1 && strict_json(data, &depth) && depth <= 100)
        object = json_loadb(data.at, data.len, 0, NULL);
    must(!json_object_get(object, "usage"));
    json_decref(object);
}

static void check_strip(struct slice body) {
    struct strbuf out = {0}, cut_out = {0};
    strip(body, CUT_NOT, &out);
    for (enum cut cut = CUT_BYTES; cut <= CUT_SMALL; cut++) {
        strbuf_clear(&cut_out);
        strip(body, cut, &cut_out);
        must(slice_equal(strbuf_as_slice(&out), strbuf_as_slice(&cut_out)));
    }
    if (!mentions(body))
        must(slice_equal(strbuf_as_slice(&out), body));
    size_t at = 0; // bytes are taken out and none is put in
    for (size_t i = 0; i < body.len && at < out.len; i++)
        at += out.at[at] == body.at[i];
    must(at == out.len);
    struct slice rest = strbuf_as_slice(&out), left = body;
    while (left.len) { // events that say nothing of it are all there, in their order
        struct slice event = take_event(&left);
        if (mentions(event))
            continue;
        const char *found = rest.len ? memmem(rest.at, rest.len, event.at, event.len) : NULL;
        must(found);
        rest = slice_from(rest, (size_t)(found - rest.at) + event.len);
    }
    rest = strbuf_as_slice(&out);
    while (rest.len) {
        struct slice event = take_event(&rest);
        if (rest.len && mentions(event))
            check_stripped(event);
    }
    strbuf_free(&out);
    strbuf_free(&cut_out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct slice body = slice_make((const char *)data, size);
    if (!size)
        return 0;
    body = slice_from(body, 1);
    switch (data[0]) {
    case 'j':
        check_usage(body, "application/json");
        break;
    case 's':
        check_strip(body);
        break;
    case 'e':
        check_events(body);
        break;
    default:
        check_usage(body, "text/event-stream");
        break;
    }
    return 0;
}

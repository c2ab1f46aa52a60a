#include "http/strip.h"

#include "find.h"
#include "http/rewrite.h"

#include <string.h>

// Behind the line that begins at `at`; NULL: its end has not come, or it is a CR that may be the first half
// of one.
static const char *behind_line(const char *at, const char *end, const char **line_end) {
    const char *stop = find_either(at, end, '\n', '\r');
    *line_end = stop;
    if (stop == end || (*stop == '\r' && stop + 1 == end))
        return NULL;
    return stop + (*stop == '\r' && stop[1] == '\n' ? 2 : 1);
}

// Behind the event at the front, that is behind its empty line; NULL: it is not all here.
static const char *behind_event(struct slice bytes) {
    const char *at = bytes.at, *end = bytes.at + bytes.len, *line_end;
    for (;;) {
        const char *next = behind_line(at, end, &line_end);
        if (!next)
            return NULL;
        if (line_end == at)
            return next;
        at = next;
    }
}

// The data of an event that has one line of it; at == NULL: none or several.
static struct slice data_of(struct slice event) {
    const char *at = event.at, *end = event.at + event.len, *line_end;
    struct slice data = SLICE_NONE;
    for (const char *next; (next = behind_line(at, end, &line_end)); at = next) {
        struct slice line = slice_make(at, (size_t)(line_end - at));
        if (!slice_starts(line, SLICE("data:")))
            continue;
        if (data.at)
            return SLICE_NONE;
        data = slice_from(line, 5);
    }
    return data;
}

static bool is_empty_list(struct slice json) {
    if (json.len < 2 || json.at[0] != '[')
        return false;
    for (size_t i = 1; i < json.len - 1; i++)
        if (!strchr(" \t\r\n", json.at[i]))
            return false;
    return true;
}

static void pass_event(struct slice event, struct strbuf *out) {
    struct slice data = SLICE_NONE, tokens = SLICE_NONE;
    if (memmem(event.at, event.len, "\"usage\"", 7))
        data = data_of(event);
    if (data.at)
        tokens = rewrite_find(data, "/usage");
    if (!tokens.at) {
        strbuf_slice(out, event);
        return;
    }
    if (tokens.at[0] == '{' && is_empty_list(rewrite_find(data, "/choices")))
        return;
    struct rewrite edit = {.pointer = "/usage"};
    strbuf_append(out, event.at, (size_t)(data.at - event.at));
    if (rewrite(data, &edit, 1, out) != REWRITE_DONE)
        strbuf_slice(out, data);
    size_t before = (size_t)(data.at - event.at) + data.len;
    strbuf_slice(out, slice_from(event, before));
}

// All whole events; returns what is left. An event past the limit is left, too, also when all of it is here:
// what passes does not hang on how the stream was cut.
static struct slice pass_events(struct slice bytes, struct strbuf *out) {
    const char *behind;
    while (bytes.len && (behind = behind_event(bytes))) {
        size_t len = (size_t)(behind - bytes.at);
        if (len > STRIP_HELD)
            break;
        pass_event(slice_make(bytes.at, len), out);
        bytes = slice_from(bytes, len);
    }
    return bytes;
}

void strip_feed(struct strip *strip, struct slice bytes, struct strbuf *out) {
    if (strip->given_up) {
        strbuf_slice(out, bytes);
        return;
    }
    if (!strip->held.len) {
        strbuf_slice(&strip->held, pass_events(bytes, out));
    } else {
        strbuf_slice(&strip->held, bytes);
        struct slice rest = pass_events(strbuf_as_slice(&strip->held), out);
        memmove(strip->held.at, rest.at, rest.len);
        strip->held.len = rest.len;
    }
    if (strip->held.len > STRIP_HELD) {
        strip->given_up = true;
        strip_end(strip, out);
    }
}

void strip_end(struct strip *strip, struct strbuf *out) {
    strbuf_slice(out, strbuf_as_slice(&strip->held));
    strbuf_clear(&strip->held);
}

void strip_free(struct strip *strip) {
    strbuf_free(&strip->held);
    *strip = (struct strip){0};
}

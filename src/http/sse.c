#include "http/sse.h"

#include <string.h>

enum state { LINE_START, IN_DATA, IN_OTHER }; // LINE_START is 0: sse_between

static const struct slice name = {"data:", 5};

void sse_start(struct sse *sse) {
    *sse = (struct sse){.state = LINE_START};
}

static bool ends_line(char c) {
    return c == '\n' || c == '\r';
}

// The line ended with *at; what follows it.
static const char *next_line(struct sse *sse, const char *at) {
    sse->state = LINE_START;
    sse->matched = 0;
    sse->after_cr = *at == '\r';
    return at + 1;
}

// Behind the end of the line at `at` and an empty line, when both are here; else NULL.
static const char *behind_event(const char *at, const char *end) {
    for (int line = 0; line < 2; line++) {
        if (at == end || !ends_line(*at))
            return NULL;
        if (*at == '\r' && at + 1 < end && at[1] == '\n')
            at++;
        at++;
    }
    return at;
}

// So far is looked for one of the two before the other.
#define WINDOW 1024

// The first LF or CR. Nearly always a LF is near and no CR before it: two quick looks are less than one at
// both.
static const char *line_end(const char *at, const char *end) {
    for (; at < end; at += WINDOW) {
        size_t len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
        const char *stop = memchr(at, '\n', len);
        const char *other = memchr(at, '\r', stop ? (size_t)(stop - at) : len);
        if (other || stop)
            return other ? other : stop;
    }
    return end;
}

static void use(struct slice *bytes, const char *at) {
    *bytes = slice_from(*bytes, (size_t)(at - bytes->at));
}

// At the start of a line's data. True: the event ends here too.
static bool whole_event(struct sse *sse, struct slice *bytes, struct slice *data) {
    const char *at = bytes->at, *end = at + bytes->len, *stop = line_end(at, end);
    const char *behind = sse->has_data ? NULL : behind_event(stop, end);
    if (!behind)
        return false;
    *data = slice_make(at, (size_t)(stop - at));
    sse->state = LINE_START;
    sse->matched = 0;
    sse->after_cr = behind[-1] == '\r';
    use(bytes, behind);
    return true;
}

static enum sse_piece begin_data(struct sse *sse, struct slice *bytes, struct slice *data) {
    sse->state = IN_DATA;
    if (sse->has_data) { // lines of data are joined by line ends
        *data = SLICE("\n");
        return SSE_DATA;
    }
    if (whole_event(sse, bytes, data))
        return SSE_WHOLE;
    sse->has_data = true;
    return SSE_NONE;
}

// The name of a field, byte by byte.
static enum sse_piece read_name(struct sse *sse, struct slice *bytes, struct slice *data) {
    const char *at = bytes->at;
    bool swallow = sse->after_cr && *at == '\n';
    sse->after_cr = false;
    if (swallow) {
        use(bytes, at + 1);
        return SSE_NONE;
    }
    if (sse->matched == 0 && ends_line(*at)) {
        use(bytes, next_line(sse, at));
        sse->has_data = false;
        return SSE_END;
    }
    if (sse->matched == 0 && slice_starts(*bytes, name)) {
        use(bytes, at + name.len);
        return begin_data(sse, bytes, data);
    }
    if (*at != name.at[sse->matched]) {
        sse->state = IN_OTHER;
        return SSE_NONE;
    }
    use(bytes, at + 1);
    return ++sse->matched == name.len ? begin_data(sse, bytes, data) : SSE_NONE;
}

// The rest of a line.
static enum sse_piece read_line(struct sse *sse, struct slice *bytes, struct slice *data) {
    const char *at = bytes->at, *end = at + bytes->len, *stop = line_end(at, end);
    bool is_data = sse->state == IN_DATA && stop > at;
    *data = slice_make(at, (size_t)(stop - at));
    if (stop < end)
        stop = next_line(sse, stop);
    use(bytes, stop);
    return is_data ? SSE_DATA : SSE_NONE;
}

enum sse_piece sse_next(struct sse *sse, struct slice *bytes, struct slice *data) {
    enum sse_piece piece = SSE_NONE;
    while (piece == SSE_NONE && bytes->len)
        piece = sse->state == LINE_START ? read_name(sse, bytes, data) : read_line(sse, bytes, data);
    return piece;
}

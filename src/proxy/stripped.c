#include "stripped.h"

#include "frame.h"

void stripped_begin(struct exchange *exchange) {
    // What is read are the very events that are counted: of a status 2xx, and plain (the client's
    // Accept-Encoding did not go on).
    exchange->stripping = exchange->strip_usage && exchange->meter.usage.source == USAGE_EVENTS &&
                          !exchange->meter.usage.unzip && !exchange->to_head;
}

// One chunk of what goes on, with the body's end behind it; or bare, for clients that read until the end.
static struct segment framed(struct exchange *exchange, bool last) {
    struct strbuf *out = &exchange->stripped;
    size_t len = out->len - CHUNK_LINE_BYTES;
    char *data = out->at + CHUNK_LINE_BYTES;
    exchange->response_bytes += len;
    if (!exchange->chunk_response)
        return segment_copied(slice_make(data, len));
    if (!len)
        return segment_copied(last ? frame_none : SLICE(""));
    size_t line = chunk_line_before(data, len);
    strbuf_slice(out, last ? frame_last : frame_end);
    return segment_copied(slice_make(out->at + CHUNK_LINE_BYTES - line, out->len - CHUNK_LINE_BYTES + line));
}

// Room for the chunk's line in front.
static void begin(struct exchange *exchange) {
    strbuf_clear(&exchange->stripped);
    strbuf_reserve(&exchange->stripped, CHUNK_LINE_BYTES);
    exchange->stripped.len = CHUNK_LINE_BYTES;
}

struct segment stripped_pass(struct exchange *exchange, struct buffer *take_buffer, size_t len, bool last) {
    begin(exchange);
    strip_feed(&exchange->strip, slice_make(buffer_at(take_buffer), len), &exchange->stripped);
    if (exchange->response.complete)
        strip_end(&exchange->strip, &exchange->stripped);
    buffer_give(take_buffer);
    return framed(exchange, last);
}

struct segment stripped_end(struct exchange *exchange) {
    begin(exchange);
    strip_end(&exchange->strip, &exchange->stripped);
    return framed(exchange, true);
}

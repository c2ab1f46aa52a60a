#include "frame.h"

void frame_chunk(struct buffer *buffer, size_t len, bool last) {
    char *data = buffer_at(buffer);
    if (len) {
        size_t line = chunk_line_before(data, len);
        buffer->start -= (uint32_t)line;
    }
    const struct slice *tail = !last ? &frame_end : len ? &frame_last : &frame_none;
    if (!len && !last) {
        buffer->end = buffer->start;
        return;
    }
    memcpy(data + len, tail->at, tail->len);
    buffer->end = (uint32_t)(data + len + tail->len - buffer->bytes);
}

// frame: puts body bytes that lie in a buffer into a chunk, in place (RFC 9112 7.1). Pure.
#pragma once
#include "base/slice.h"
#include "http/chunk.h"
#include "io/buffer.h"

static const struct slice frame_end = {"\r\n", 2};           // after a chunk
static const struct slice frame_last = {"\r\n0\r\n\r\n", 7}; // after the last chunk, with the end of the body
static const struct slice frame_none = {CHUNK_LAST, 5};      // the end of the body alone

// Frames the first `len` bytes in use of `buffer`; with none, only the end of the body when `last`. Headroom
// and tailroom, or the framing that was taken out, leave the place for it.
void frame_chunk(struct buffer *buffer, size_t len, bool last);

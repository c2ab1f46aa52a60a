#include "http/zip.h"

#include "base/mem.h"

#include <zlib.h>

#define GZIP  31 // windowBits: the largest window, a gzip header
#define LEVEL 9  // of memory: all of it

void zip_text(struct slice text, struct strbuf *out) {
    z_stream stream = {0};
    must(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP, LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&stream, (uLong)text.len);
    Bytef *made = mem_zero(room, 1);
    stream.next_in = (z_const Bytef *)(uintptr_t)text.at;
    stream.avail_in = (uInt)text.len;
    stream.next_out = made;
    stream.avail_out = (uInt)room;
    must(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    strbuf_append(out, (const char *)made, stream.total_out);
    deflateEnd(&stream);
    mem_free(made);
}

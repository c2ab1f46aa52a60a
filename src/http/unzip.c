#include "http/unzip.h"

#include "base/mem.h"
#include <zlib.h>

#define PIECE      4096
#define RATIO_FROM (64 * 1024) // what repeats itself may begin with more

struct unzip {
    z_stream stream;
    bool between; // a member has ended: another may follow, or nothing
    uint64_t in, out;
};

static void *zip_alloc(void *context, unsigned count, unsigned size) {
    (void)context;
    return mem_zero(count, size);
}

static void zip_free(void *context, void *memory) {
    (void)context;
    mem_free(memory);
}

struct unzip *unzip_new(void) {
    struct unzip *unzip = mem_zero(1, sizeof *unzip);
    unzip->stream.zalloc = zip_alloc;
    unzip->stream.zfree = zip_free;
    must(inflateInit2(&unzip->stream, MAX_WBITS + 16) == Z_OK); // 16: gzip only
    return unzip;
}

void unzip_free(struct unzip *unzip) {
    if (!unzip)
        return;
    inflateEnd(&unzip->stream);
    mem_free(unzip);
}

// One piece of text at most. Z_BUF_ERROR: no more can be made of what is here.
static int step(struct unzip *unzip, char *piece, size_t *made) {
    z_stream *stream = &unzip->stream;
    *made = 0;
    if (unzip->between && !stream->avail_in)
        return Z_BUF_ERROR;
    if (unzip->between && inflateReset(stream) != Z_OK)
        return Z_STREAM_ERROR;
    stream->next_out = (Bytef *)piece;
    stream->avail_out = PIECE;
    int result = inflate(stream, Z_NO_FLUSH);
    *made = PIECE - stream->avail_out;
    unzip->between = result == Z_STREAM_END;
    unzip->out += *made;
    return result;
}

bool unzip_feed(struct unzip *unzip, struct slice bytes, bool (*give)(void *context, struct slice text),
                void *context) {
    char piece[PIECE];
    size_t made;
    unzip->stream.next_in = (Bytef *)(uintptr_t)bytes.at; // zlib only reads there
    unzip->stream.avail_in = (uInt)bytes.len;
    unzip->in += bytes.len;
    for (;;) {
        int result = step(unzip, piece, &made);
        if (made && !give(context, slice_make(piece, made)))
            return false;
        if (unzip->out > RATIO_FROM && unzip->out / UNZIP_RATIO > unzip->in)
            return false;
        if (result == Z_BUF_ERROR)
            return true;
        if (result != Z_OK && result != Z_STREAM_END)
            return false;
    }
}

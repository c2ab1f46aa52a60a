// pipe: a kernel pipe, through which bytes go from one socket to another without coming to user space
// (splice(2)). Plain streams only. One pool per worker (its thread only); a pipe is held while bytes are in
// it.
#pragma once
#include "io/stream.h"

struct pipe_pool {
    int bytes;   // of a pipe; 0: as many as the kernel gives
    int fd_most; // descriptors from this number on are for others; 0: none are
    struct pipe *free;
    unsigned free_count, used;
};
struct pipe {
    struct pipe *next;
    struct pipe_pool *pool;
    int to, from;
    size_t bytes; // in it
};

void pipe_pool_free(struct pipe_pool *pool); // all pipes were given back; a zeroed struct is an empty pool
// Empty. NULL when the process may not open another one, or only with descriptors that are for others, or
// when many are held by those who take their time: then bytes are copied.
struct pipe *pipe_take(struct pipe_pool *pool);
void pipe_give(struct pipe *pipe); // what is in it is thrown away

// Fills an empty pipe with at most `most` bytes of what the stream has. Results and `readable` as those of
// stream_read, but that only STREAM_BLOCKED says that the socket is empty.
enum stream_result pipe_fill(struct pipe *pipe, struct stream *stream, size_t most, size_t *got);
// Writes what is in it. As stream_write; the process ignores SIGPIPE, which splice cannot be told to leave
// out.
enum stream_result pipe_pour(struct pipe *pipe, struct stream *stream, size_t *put);

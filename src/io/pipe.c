#include "io/pipe.h"
#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define KEEP_FREE 16  // empty ones, per pool
#define MOST      256 // in use, per pool: slow receivers do not take all descriptors

static void destroy(struct pipe *pipe) {
    close(pipe->to);
    close(pipe->from);
    mem_free(pipe);
}

void pipe_pool_free(struct pipe_pool *pool) {
    while (pool->free) {
        struct pipe *next = pool->free->next;
        destroy(pool->free);
        pool->free = next;
    }
    pool->free_count = 0;
}

static struct pipe *make(struct pipe_pool *pool) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
        return NULL;
    if (pool->fd_most && ends[1] >= pool->fd_most) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    if (pool->bytes) // past the user's limit it stays as it is
        fcntl(ends[1], F_SETPIPE_SZ, pool->bytes);
    struct pipe *pipe = mem_zero(1, sizeof *pipe);
    *pipe = (struct pipe){.pool = pool, .to = ends[1], .from = ends[0]};
    return pipe;
}

struct pipe *pipe_take(struct pipe_pool *pool) {
    struct pipe *pipe = pool->free;
    if (pool->used >= MOST)
        return NULL;
    if (pipe) {
        pool->free = pipe->next;
        pool->free_count--;
    } else if (!(pipe = make(pool))) {
        return NULL;
    }
    pool->used++;
    return pipe;
}

void pipe_give(struct pipe *pipe) {
    struct pipe_pool *pool = pipe->pool;
    pool->used--;
    if (pipe->bytes > 0 || pool->free_count >= KEEP_FREE) {
        destroy(pipe);
        return;
    }
    pipe->next = pool->free;
    pool->free = pipe;
    pool->free_count++;
}

enum stream_result pipe_fill(struct pipe *pipe, struct stream *stream, size_t most, size_t *got) {
    ssize_t n;
    *got = 0;
    do
        n = splice(stream->fd, NULL, pipe->to, NULL, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        pipe->bytes += *got = (size_t)n;
        return STREAM_DONE;
    }
    stream->readable = false;
    if (n == 0)
        return STREAM_ENDED;
    return errno == EAGAIN ? STREAM_BLOCKED : STREAM_FAILED;
}

enum stream_result pipe_pour(struct pipe *pipe, struct stream *stream, size_t *put) {
    ssize_t n;
    *put = 0;
    do
        n = splice(pipe->from, NULL, stream->fd, NULL, pipe->bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        pipe->bytes -= *put = (size_t)n;
        return STREAM_DONE;
    }
    if (n < 0 && errno == EAGAIN)
        return STREAM_BLOCKED;
    stream->deaf = true;
    return STREAM_FAILED;
}

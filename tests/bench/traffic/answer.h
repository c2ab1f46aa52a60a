// Reads HTTP/1.1 answers for the load generator, as they come, in any cut: just enough to know where one
// ends.
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_HEAD_MOST 2048

struct answer {
    bool in_body, chunked;
    bool is_200;
    char last[5]; // bytes of a chunked body: its end, which the bodies here hold nowhere else
    long left;    // of a body with a length
    size_t got;   // of a head that came in pieces
    char head[ANSWER_HEAD_MOST];
};

enum answer_state { ANSWER_BAD, ANSWER_MORE, ANSWER_WHOLE };

// The next answer begins.
void answer_clear(struct answer *answer);

// Takes what was read. `body` and `body_length`: what of it is body, valid as long as the bytes and the
// answer are.
enum answer_state answer_take(struct answer *answer, const char *bytes, size_t length, const char **body,
                              size_t *body_length);

#endif

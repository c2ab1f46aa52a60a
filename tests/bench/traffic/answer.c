#define _GNU_SOURCE
#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_clear(struct answer *answer) {
    answer->in_body = answer->chunked = answer->is_200 = false;
    answer->left = 0;
    answer->got = 0;
    memset(answer->last, 0, sizeof answer->last);
}

// The body's length or chunks. false: this is no answer, or one whose end is the connection's.
static bool read_head(struct answer *answer, const char *head, const char *end) {
    if (end - head < 12 || memcmp(head, "HTTP/1.1 ", 9) != 0)
        return false;
    answer->is_200 = memcmp(head + 9, "200", 3) == 0;
    answer->left = -1;
    for (const char *line = head; (line = memchr(line, '\n', (size_t)(end - line))) && ++line < end;) {
        if (strncasecmp(line, "content-length:", 15) == 0)
            answer->left = strtol(line + 15, NULL, 10);
        else if (strncasecmp(line, "transfer-encoding:", 18) == 0)
            answer->chunked = true;
    }
    answer->in_body = true;
    return answer->chunked || answer->left >= 0;
}

static bool chunks_end(struct answer *answer, const char *bytes, size_t length) {
    size_t size = sizeof answer->last;
    if (length >= size) {
        memcpy(answer->last, bytes + length - size, size);
    } else {
        memmove(answer->last, answer->last + length, size - length);
        memcpy(answer->last + size - length, bytes, length);
    }
    return memcmp(answer->last, "0\r\n\r\n", size) == 0;
}

static bool collect(struct answer *answer, const char *bytes, size_t length) {
    if (answer->got + length > sizeof answer->head)
        return false;
    memcpy(answer->head + answer->got, bytes, length);
    answer->got += length;
    return true;
}

enum answer_state answer_take(struct answer *answer, const char *bytes, size_t length, const char **body,
                              size_t *body_length) {
    *body_length = 0;
    *body = bytes;
    if (!answer->in_body) {
        bool pieces = answer->got > 0;
        if (pieces) {
            if (!collect(answer, bytes, length))
                return ANSWER_BAD;
            bytes = answer->head;
            length = answer->got;
        }
        const char *end = memmem(bytes, length, "\r\n\r\n", 4);
        if (!end)
            return pieces || collect(answer, bytes, length) ? ANSWER_MORE : ANSWER_BAD;
        if (!read_head(answer, bytes, end + 2))
            return ANSWER_BAD;
        length -= (size_t)(end + 4 - bytes);
        bytes = end + 4;
    }
    *body = bytes;
    *body_length = length;
    if (answer->chunked)
        return chunks_end(answer, bytes, length) ? ANSWER_WHOLE : ANSWER_MORE;
    answer->left -= (long)length;
    return answer->left <= 0 ? ANSWER_WHOLE : ANSWER_MORE;
}

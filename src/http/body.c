#include "http/body.h"

void body_start(struct body *body, const struct framing *framing) {
    body->kind = framing->kind;
    body->left = framing->kind == BODY_LENGTH ? framing->length : 0;
    body->bytes = 0;
    body->complete = framing->kind == BODY_NONE || (framing->kind == BODY_LENGTH && framing->length == 0);
    if (framing->kind == BODY_CHUNKED)
        chunk_start(&body->chunks);
}

static enum body_result feed_length(struct body *body, size_t len, size_t *data, size_t *used) {
    size_t n = len < body->left ? len : (size_t)body->left;
    body->left -= n;
    *data = *used = n;
    body->complete = body->left == 0;
    return body->complete ? BODY_COMPLETE : BODY_MORE;
}

enum body_result body_feed(struct body *body, char *bytes, size_t len, size_t *data, size_t *used,
                           enum reject *reject) {
    enum body_result result = BODY_MORE;
    *data = *used = 0;
    if (body->complete)
        return BODY_COMPLETE;
    switch (body->kind) {
    case BODY_NONE:
        return BODY_COMPLETE;
    case BODY_LENGTH:
        result = feed_length(body, len, data, used);
        break;
    case BODY_UNTIL_CLOSE:
        *data = *used = len;
        break;
    case BODY_CHUNKED: {
        enum chunk_result chunks = chunk_decode(&body->chunks, bytes, len, data, used, reject);
        body->complete = chunks == CHUNK_DONE;
        result = chunks == CHUNK_DONE ? BODY_COMPLETE : chunks == CHUNK_MORE ? BODY_MORE : BODY_REJECTED;
        break;
    }
    }
    body->bytes += *data;
    return result;
}

void body_passed(struct body *body, size_t len) {
    size_t data, used;
    feed_length(body, len, &data, &used);
    body->bytes += data;
}

bool body_end(struct body *body) {
    if (body->kind == BODY_UNTIL_CLOSE)
        body->complete = true;
    return body->complete;
}

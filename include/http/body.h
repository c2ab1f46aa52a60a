// body: walks the body of one message of any framing over arbitrary cuts. Pure; one per message.
#pragma once
#include "http/chunk.h"
#include "http/framing.h"

enum body_result { BODY_MORE, BODY_COMPLETE, BODY_REJECTED };

struct body {
    enum body_kind kind;
    uint64_t left;  // BODY_LENGTH: bytes still to come
    uint64_t bytes; // data bytes so far, without chunk framing
    bool complete;
    struct chunk_decoder chunks;
};

void body_start(struct body *body, const struct framing *framing); // complete at once when there is none
// Takes bytes[0..len): *data bytes of content stand at the front afterwards, *used input bytes were consumed;
// what follows them belongs to the next message. BODY_REJECTED only for chunked bodies (*reject).
enum body_result body_feed(struct body *body, char *bytes, size_t len, size_t *data, size_t *used,
                           enum reject *reject);
// The next `len` bytes of a BODY_LENGTH, no more than are left, went by without being looked at.
void body_passed(struct body *body, size_t len);
// The sender closed. True when that ends the message properly (BODY_UNTIL_CLOSE, or complete already).
bool body_end(struct body *body);

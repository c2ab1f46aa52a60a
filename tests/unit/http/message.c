#include "message.h"
#include "http/parser.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>

const struct head_limits message_limits = {.target_bytes = 8192, .head_bytes = 32768};

enum reject message_request(struct slice bytes, struct head *head, struct framing *framing) {
    enum reject reject = REJECT_NONE;
    enum head_result result = head_read_request(bytes, &message_limits, head, &reject);
    assert_int_not_equal(result, HEAD_PARTIAL);
    if (result == HEAD_REJECTED)
        return reject;
    reject = framing_of_request(head, framing);
    if (reject != REJECT_NONE || parser_agrees_on_request(bytes, head, framing))
        return reject;
    assert_false(framing->plain); // else nobody would have asked
    return REJECT_PARSERS_DISAGREE;
}

enum reject message_response(struct slice bytes, bool to_head, struct head *head, struct framing *framing) {
    enum reject reject = REJECT_NONE;
    enum head_result result = head_read_response(bytes, &message_limits, head, &reject);
    assert_int_not_equal(result, HEAD_PARTIAL);
    if (result == HEAD_REJECTED)
        return reject;
    reject = framing_of_response(head, to_head, framing);
    if (reject != REJECT_NONE || parser_agrees_on_response(bytes, head, framing, to_head))
        return reject;
    assert_false(framing->plain);
    return REJECT_PARSERS_DISAGREE;
}

void message_must_read(struct slice bytes, struct head *head) {
    enum reject reject;
    if (head_read_request(bytes, &message_limits, head, &reject) != HEAD_COMPLETE)
        fail_msg("not accepted: %.*s", (int)bytes.len, bytes.at);
}

enum head_result message_drip(struct slice bytes, bool request, struct head *head, enum reject *reject,
                              size_t *length) {
    enum head_result result = HEAD_PARTIAL;
    for (*length = 0; result == HEAD_PARTIAL && *length < bytes.len;) {
        ++*length;
        char *exact = malloc(*length);
        assert_non_null(exact);
        memcpy(exact, bytes.at, *length);
        struct slice part = slice_make(exact, *length);
        result = request ? head_read_request(part, &message_limits, head, reject)
                         : head_read_response(part, &message_limits, head, reject);
        free(exact);
    }
    return result;
}

// message: reads one whole message head in a test the way the proxy does (head, framing, llhttp). Test code
// only.
#pragma once
#include "http/framing.h"

extern const struct head_limits message_limits; // 8 KiB target, 32 KiB head

// All three in order; REJECT_NONE when every one accepts. Asserts that the head is complete or refused.
enum reject message_request(struct slice bytes, struct head *head, struct framing *framing);
enum reject message_response(struct slice bytes, bool to_head, struct head *head, struct framing *framing);
// The head of a request that must be accepted, from a string literal's bytes.
void message_must_read(struct slice bytes, struct head *head);
// Feeds the bytes one by one more, as a slow sender would, each time from a block of exactly that size (so
// that AddressSanitizer sees a look past the end). The result, and in *length how many bytes were needed.
enum head_result message_drip(struct slice bytes, bool request, struct head *head, enum reject *reject,
                              size_t *length);

// edited: the request's body as the variant that is asked gets it: with the variant's edits, and with the
// question for a stream's tokens. Made of the kept body; the kept body stays as the client sent it, for
// another variant. Worker's thread.
#pragma once
#include "exchange.h"

// Whether the body must be here, whole, before the request can go on: of the chosen variant or the fallback.
bool edited_needs_body(const struct exchange *exchange, const struct head *head);
// The whole body is here, or none will come that is to be edited: makes what the variant in charge gets.
// False: the body cannot be edited; the client was told, and the exchange may be gone.
bool edited_make(struct exchange *exchange, const struct head *head);
// What `variant` gets, appended to `out`; *edited: another body than the client's. False: its edits cannot be
// made.
bool edited_copy(const struct exchange *exchange, const struct head *head, size_t variant, struct strbuf *out,
                 bool *edited);
// What is sent of what is kept.
static inline struct slice edited_body(const struct exchange *exchange) {
    return exchange->body_edited ? strbuf_as_slice(&exchange->edited) : strbuf_as_slice(&exchange->kept);
}
static inline uint64_t edited_length(const struct exchange *exchange, uint64_t otherwise) {
    return exchange->body_edited ? exchange->edited.len : otherwise;
}
// Fields of the head that told of the body as it was.
bool edited_drops(const struct exchange *exchange, const struct field *field);

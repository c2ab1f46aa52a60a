// onward: what the request and the response target share: the body of a message read by ours and by the
// strict reader, and what goes on of it, written the way the proxy does and read again.
#pragma once
#include "../fuzz.h"
#include "../strict_http.h"
#include "http/body.h"
#include "http/head.h"

// Ours and the strict reader's must be the same message: framing and fields.
void onward_same_head(const struct head *head, const struct framing *framing,
                      const struct strict_head *strict);
// Reads the body of `rest` with both, ours in pieces; they must agree about its end, its data and its
// trailers, or that it is none. True: it is whole, and *body has it.
bool onward_same_body(struct slice rest, const struct framing *framing, const struct strict_head *strict,
                      struct strict_body *body);
// Writes the framing fields, the end of the head and the body, chunked or by length; trailers that may go on
// when `trailers`. Needs head->drop not set.
void onward_write_framed(const struct head *head, bool chunked, bool trailers, const struct strict_body *body,
                         struct strbuf *out);
// `out` must be one message with one framing, with the body that `body` has, and without what a hop keeps for
// itself; `from` is what it was made of.
void onward_check(struct slice out, bool request, bool to_head, const struct strict_head *from,
                  const struct strict_body *body);

// trailer: which fields of a trailer section may go on (RFC 9110 6.5.1, 6.6.2): none that frames, routes,
// authenticates, changes or caches the message, and none that the proxy itself speaks for. Pure.
#pragma once
#include "base/strbuf.h"
#include "http/head.h"

#define TRAILER_FIELDS 100 // more are left out

bool trailer_allowed(struct slice name);
// `ending` below is a list of what Connection names: such fields are no one's but the sender's, in the
// trailer section as in the head (RFC 9110 7.6.1). Its `at` may be NULL.
//
// Appends that list.
void trailer_ending(const struct head *head, struct strbuf *out);
// Appends the names of a Trailer field's list that are allowed, behind a comma when something stands in
// `out`.
void trailer_names(struct slice list, struct slice ending, struct strbuf *out);
// Appends the last chunk, with those fields of `section` (lines "name:value" CRLF, already checked) that are
// allowed and, when `announced.at` is set, in that list; and the empty line. False, and nothing: there are no
// such fields.
bool trailer_write(struct slice section, struct slice announced, struct slice ending, struct strbuf *out);

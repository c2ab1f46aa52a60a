// writer: heads are always written anew from slices, never copied through. Pure. Appends to `out`.
#pragma once
#include "base/strbuf.h"
#include "http/head.h"

void write_request_line(struct strbuf *out, struct slice method,
                        struct slice target); // "GET /x HTTP/1.1\r\n"
void write_status_line(struct strbuf *out, unsigned status,
                       struct slice reason); // empty reason: the standard one
const char *status_reason(unsigned status);  // "" when unknown
static inline void write_field(struct strbuf *out, struct slice name, struct slice value) {
    char *at = strbuf_reserve(out, name.len + value.len + 4);
    memcpy(at, name.at, name.len);
    at += name.len;
    *at++ = ':';
    *at++ = ' ';
    if (value.len)
        memcpy(at, value.at, value.len);
    at += value.len;
    *at++ = '\r';
    *at++ = '\n';
    out->len += name.len + value.len + 4;
}
void write_kept_fields(struct strbuf *out, const struct head *head); // those without `drop`

// strict_http: a second reader of HTTP/1.1, written for the tests from RFC 9110, 9112 and 3986 alone, that
// shares nothing with src/http: byte by byte, one message at a time, all of it in memory. Where a standard
// leaves a choice it takes the product's (architecture: what one reader could read in two ways is refused).
// It knows no limits.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

#define STRICT_FIELDS 200 // more: STRICT_WRONG

enum strict_result { STRICT_WHOLE, STRICT_CUT, STRICT_WRONG };
enum strict_kind { STRICT_NO_BODY, STRICT_LENGTH, STRICT_CHUNKED, STRICT_TO_END };

struct strict_field {
    struct slice name, value;
};
struct strict_head {
    struct slice method, target;  // of a request
    struct slice authority, path; // … what its target has of them
    unsigned status;              // of a response
    struct slice reason;
    unsigned minor;
    struct strict_field fields[STRICT_FIELDS];
    size_t count;
    enum strict_kind kind;
    uint64_t length;
    bool persistent;
    size_t bytes;
};

enum strict_result strict_request(struct slice bytes, struct strict_head *head);
enum strict_result strict_response(struct slice bytes, bool to_head, struct strict_head *head);

struct strict_body {
    struct strbuf data;     // without framing
    struct strbuf trailers; // lines with their ends
    size_t bytes;           // it takes, with framing
};
// `bytes` begin behind the head. STRICT_TO_END is never whole: it takes all there is.
enum strict_result strict_body(struct slice bytes, const struct strict_head *head, struct strict_body *body);
void strict_body_free(struct strict_body *body);

// How many fields have that name; *value: the last one's.
size_t strict_find(const struct strict_head *head, const char *name, struct slice *value);
bool strict_same_name(struct slice a, struct slice b);

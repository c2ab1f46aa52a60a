// framing: how long the body of a message is (RFC 9112 6.3), decided once, from the head alone, and where it
// could be read in two ways cross-checked with llhttp (parser.h). Pure; any thread. More than 64 Connection
// options are refused (REJECT_BAD_FIELD_VALUE). When not REJECT_NONE, *framing is not to be used.
#pragma once
#include "http/head.h"

enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct framing {
    enum body_kind kind;
    uint64_t length;      // BODY_LENGTH
    bool keep_alive;      // the sender allows another message after this one (RFC 9112 9.3)
    bool expect_continue; // request: Expect: 100-continue on HTTP/1.1, and a body follows
    bool upgrade;         // request: GET, HTTP/1.1, Connection: upgrade, Upgrade: websocket and no body
                          // response: 101 that says the same; any other switch is one to something else
    bool plain; // no two readers can differ about it, given the lines of the head: of all that frames
                // a message there is at most one Content-Length and one Connection, which says close
                // or keep-alive; the method (status) is one that frames nothing by itself
};

enum reject framing_of_request(const struct head *head, struct framing *framing);
// `to_head`: the request was HEAD. 1xx, 204, 304 and answers to HEAD have no body whatever the fields say.
enum reject framing_of_response(const struct head *head, bool to_head, struct framing *framing);

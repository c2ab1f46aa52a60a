// own_error: every answer that is the proxy's own, in one table: status, name (X-Sluice-Error, the access
// log's `reply`, the JSON's `code`), the sentence for the client, the counter that it raises, when it happens
// and what to do. Refusals of malformed messages have their own table (http/reject.h); docs/errors.md shows
// both. Pure; any thread.
#pragma once
#include "base/strbuf.h"

enum own_error {
    OWN_ERROR_NO_ROUTE,
    OWN_ERROR_BODY_TOO_LARGE,
    OWN_ERROR_BODY_TOO_LARGE_TO_EDIT,
    OWN_ERROR_BODY_CODED,
    OWN_ERROR_BODY_NOT_JSON,
    OWN_ERROR_BODY_TOO_DEEP,
    OWN_ERROR_BODY_NO_PLACE,
    OWN_ERROR_HEADER_TIMEOUT,
    OWN_ERROR_BODY_TIMEOUT,
    OWN_ERROR_CONNECTIONS,
    OWN_ERROR_REQUESTS,
    OWN_ERROR_MEMORY,
    OWN_ERROR_QUEUE_FULL,
    OWN_ERROR_QUEUE_TIMEOUT,
    OWN_ERROR_DESCRIPTORS,
    OWN_ERROR_NO_ENDPOINT,
    OWN_ERROR_CONNECT_FAILED,
    OWN_ERROR_CONNECT_TIMEOUT,
    OWN_ERROR_TLS_FAILED,
    OWN_ERROR_UPSTREAM_RESET,
    OWN_ERROR_BAD_RESPONSE,
    OWN_ERROR_FIRST_BYTE_TIMEOUT,
    OWN_ERROR_TOTAL_TIMEOUT,
    OWN_ERRORS
};

unsigned own_error_status(enum own_error error);
const char *own_error_name(enum own_error error); // "no_route"; stable
const char *own_error_text(enum own_error error); // for the client; says nothing of what is inside
void own_error_reference(struct strbuf *out);     // docs/errors.md

// uri: the parts of a request target and the normalised copy that matching works on (RFC 9110 4.2.3, RFC
// 3986 6.2.2). The target itself is forwarded byte for byte (origin-form). Pure.
#pragma once
#include "base/arena.h"
#include "base/slice.h"

struct uri {
    struct slice authority; // of an absolute-form target, else empty
    struct slice path;      // raw, with the query: what is forwarded ("*" stays "*")
    struct slice path_only; // raw, without the query
    struct slice query;     // after '?', raw
};

// False for what is no origin-form, "*" or http(s) absolute-form. An absolute-form without a path has "/";
// one with a query but no path is refused, since no part of it could be sent on. The authority is checked by
// uri_host.
bool uri_split(struct slice target, struct uri *uri);
// The path with unreserved characters percent-decoded and dot segments removed; the same slice when nothing
// changes, else a copy in the arena. Never decodes %2F; escapes that stay get upper-case digits. A query is
// left out.
struct slice uri_normal_path(struct slice path, struct arena *arena);
// The value of a query parameter (application/x-www-form-urlencoded), decoded into the arena; at == NULL when
// absent. A parameter without "=" is empty; a "%" that starts no escape stands for itself; the first of
// several counts.
struct slice uri_query_value(struct slice query, struct slice name, struct arena *arena);
// "host" of "host:port", "[v6]:port" or "host", without brackets; false when malformed or empty.
bool uri_host(struct slice authority, struct slice *host);

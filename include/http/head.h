// head: one request or response head, read strictly from raw bytes (RFC 9112 2-5). Pure; any thread.
// All slices point into the bytes that were read; valid as long as they are. This scanner goes before
// llhttp and hands only a clean head on: whatever two readers could read in two ways is refused here.
#pragma once
#include "base/slice.h"
#include "http/reject.h"

#define HEAD_FIELDS 100 // more: REJECT_TOO_MANY_FIELDS (431)

// Fields the proxy itself looks at; everything else is FIELD_OTHER.
enum field_id {
    FIELD_OTHER,
    FIELD_HOST,
    FIELD_DATE,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_TRANSFER_ENCODING,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_COOKIE,
    FIELD_AUTHORIZATION,
    FIELD_ACCEPT,
    FIELD_EXPECT,
    FIELD_UPGRADE,
    FIELD_TE,
    FIELD_TRAILER,
    FIELD_KEEP_ALIVE,
    FIELD_PROXY_CONNECTION,
    FIELD_PROXY_AUTHENTICATE,
    FIELD_PROXY_AUTHORIZATION,
    FIELD_HTTP2_SETTINGS,
    FIELD_VIA,
    FIELD_FORWARDED,
    FIELD_X_FORWARDED_FOR,
    FIELD_X_FORWARDED_PROTO,
    FIELD_X_FORWARDED_HOST,
    FIELD_X_FORWARDED_OTHER, // any other X-Forwarded-*, and _ twins of all X-Forwarded-*
    FIELD_X_REQUEST_ID,
    FIELD_X_SLUICE,     // X-Sluice-* with any mix of - and _
    FIELD_FRAMING_TWIN, // Content_Length, Transfer_Encoding
    FIELD_TRACEPARENT,
    FIELD_TRACESTATE,
    FIELD_BAGGAGE,
    FIELD_USER_AGENT,
    FIELD_RETRY_AFTER,
    FIELD_MAX_FORWARDS,
};
// Sets of them.
#define FIELD_BIT(id) (UINT64_C(1) << (id))
_Static_assert(FIELD_MAX_FORWARDS < 64, "the last field has a bit of its own");

struct field {
    struct slice name, value; // value without surrounding white space
    enum field_id id;
    bool drop; // set by hop_mark: not to be forwarded
};

struct head {
    struct slice method, target; // request
    unsigned status;             // response
    struct slice reason;         // response
    unsigned minor;              // HTTP/1.minor: 0 or 1
    struct field fields[HEAD_FIELDS];
    size_t field_count;
    uint64_t present; // FIELD_BIT of every id among the fields
    size_t bytes;     // the whole head with its final empty line
};

struct head_limits {
    size_t target_bytes; // past it: REJECT_TARGET_TOO_LONG (414)
    size_t head_bytes;   // past it: REJECT_HEAD_TOO_LARGE (431)
};

enum head_result { HEAD_COMPLETE, HEAD_PARTIAL, HEAD_REJECTED };

// Reads one head from the start of `bytes`. HEAD_PARTIAL: call again with more (from the start).
// HEAD_REJECTED: *reject says why. Checks everything of the head that needs no other head: line ends, names,
// values, version, target form, Host (requests); not framing (framing.h). The first wrong byte decides, so
// the verdict does not depend on how the bytes were cut. Up to four empty lines before a request are skipped
// (counted in bytes). Content-Length values lose leading zeros. *head is undefined until HEAD_COMPLETE.
enum head_result head_read_request(struct slice bytes, const struct head_limits *limits, struct head *head,
                                   enum reject *reject);
enum head_result head_read_response(struct slice bytes, const struct head_limits *limits, struct head *head,
                                    enum reject *reject);

static inline bool head_has(const struct head *head, uint64_t fields) { // any of these
    return head->present & fields;
}
// The id of the field with that name (a token), case-insensitively.
enum field_id field_identify(struct slice name);
// First field with that id, or NULL; head_find_name compares names case-insensitively.
const struct field *head_find_present(const struct head *head, enum field_id id);
static inline const struct field *head_find(const struct head *head, enum field_id id) {
    return head_has(head, FIELD_BIT(id)) ? head_find_present(head, id) : NULL;
}
const struct field *head_find_name(const struct head *head, struct slice name);
// True when a comma-separated list field (all its lines together) has this token, case-insensitively.
bool head_has_token(const struct head *head, enum field_id id, struct slice token);
// Max-Forwards (RFC 9110 7.6.2); false when it is absent or no number (then it means nothing).
bool head_max_forwards(const struct head *head, uint64_t *hops);

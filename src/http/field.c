#include "http/head.h"
#include "octet.h"

struct known {
    const char *name; // lower case
    enum field_id id;
};

// Names of one length; few enough that the first letter nearly always decides.
#define NAMES(...) ((const struct known[]){__VA_ARGS__, {NULL, FIELD_OTHER}})
#define LONGEST    19
static const struct known *const known_by_length[LONGEST + 1] = {
    [2] = NAMES({"te", FIELD_TE}),
    [3] = NAMES({"via", FIELD_VIA}),
    [4] = NAMES({"host", FIELD_HOST}, {"date", FIELD_DATE}),
    [6] = NAMES({"accept", FIELD_ACCEPT}, {"cookie", FIELD_COOKIE}, {"expect", FIELD_EXPECT}),
    [7] = NAMES({"upgrade", FIELD_UPGRADE}, {"trailer", FIELD_TRAILER}),
    [9] = NAMES({"forwarded", FIELD_FORWARDED}),
    [10] = NAMES({"user-agent", FIELD_USER_AGENT}, {"connection", FIELD_CONNECTION},
                 {"keep-alive", FIELD_KEEP_ALIVE}),
    [11] = NAMES({"traceparent", FIELD_TRACEPARENT}, {"retry-after", FIELD_RETRY_AFTER}),
    [12] = NAMES({"content-type", FIELD_CONTENT_TYPE}, {"x-request-id", FIELD_X_REQUEST_ID},
                 {"max-forwards", FIELD_MAX_FORWARDS}),
    [13] = NAMES({"authorization", FIELD_AUTHORIZATION}),
    [14] = NAMES({"content-length", FIELD_CONTENT_LENGTH}, {"http2-settings", FIELD_HTTP2_SETTINGS}),
    [15] = NAMES({"x-forwarded-for", FIELD_X_FORWARDED_FOR}),
    [16] = NAMES({"content-encoding", FIELD_CONTENT_ENCODING}, {"x-forwarded-host", FIELD_X_FORWARDED_HOST},
                 {"proxy-connection", FIELD_PROXY_CONNECTION}),
    [17] =
        NAMES({"transfer-encoding", FIELD_TRANSFER_ENCODING}, {"x-forwarded-proto", FIELD_X_FORWARDED_PROTO}),
    [18] = NAMES({"proxy-authenticate", FIELD_PROXY_AUTHENTICATE}),
    [19] = NAMES({"proxy-authorization", FIELD_PROXY_AUTHORIZATION}),
};

// `lower` has the same length and holds no upper case.
static bool equals_lower(const char *name, const char *lower, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (octet_lower(name[i]) != lower[i])
            return false;
    return true;
}

// The name starts with `lower`, '_' standing for '-', and a part follows it or nothing.
static bool has_family(struct slice name, const char *lower, size_t len) {
    if (name.len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((name.at[i] == '_' ? '-' : octet_lower(name.at[i])) != lower[i])
            return false;
    return name.len == len || name.at[len] == '-' || name.at[len] == '_';
}

enum field_id field_identify(struct slice name) {
    if (name.len <= LONGEST && known_by_length[name.len]) {
        char first = octet_lower(name.at[0]);
        for (const struct known *known = known_by_length[name.len]; known->name; known++)
            if (known->name[0] == first && equals_lower(name.at, known->name, name.len))
                return known->id;
    }
    if (name.len > 2 && octet_lower(name.at[0]) == 'x') {
        if (has_family(name, "x-sluice", 8))
            return FIELD_X_SLUICE;
        if (has_family(name, "x-forwarded", 11))
            return FIELD_X_FORWARDED_OTHER;
    }
    return FIELD_OTHER;
}

const struct field *head_find(const struct head *head, enum field_id id) {
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == id)
            return &head->fields[i];
    return NULL;
}

const struct field *head_find_name(const struct head *head, struct slice name) {
    for (size_t i = 0; i < head->field_count; i++)
        if (slice_equal_fold(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

bool head_has_token(const struct head *head, enum field_id id, struct slice token) {
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != id)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;)
            if (slice_equal_fold(slice_trim(slice_cut(&rest, ',')), token))
                return true;
    }
    return false;
}

bool head_max_forwards(const struct head *head, uint64_t *hops) {
    const struct field *field = head_find(head, FIELD_MAX_FORWARDS);
    return field && slice_to_u64(field->value, hops);
}

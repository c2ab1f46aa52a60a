#include "http/head.h"
#include "octet.h"

#define LONGEST 19
#define WORDS   3 // of 8 bytes: what the longest takes

struct known {
    char name[8 * WORDS]; // lower case, NUL behind it
    enum field_id id;
};

// Names of one length.
#define NAMES(...) ((const struct known[]){__VA_ARGS__, {"", FIELD_OTHER}})
static const struct known *const known_by_length[LONGEST + 1] = {
    [2] = NAMES({"te", FIELD_TE}),
    [3] = NAMES({"via", FIELD_VIA}),
    [4] = NAMES({"host", FIELD_HOST}, {"date", FIELD_DATE}),
    [6] = NAMES({"accept", FIELD_ACCEPT}, {"cookie", FIELD_COOKIE}, {"expect", FIELD_EXPECT}),
    [7] = NAMES({"upgrade", FIELD_UPGRADE}, {"trailer", FIELD_TRAILER}, {"baggage", FIELD_BAGGAGE}),
    [9] = NAMES({"forwarded", FIELD_FORWARDED}),
    [10] = NAMES({"user-agent", FIELD_USER_AGENT}, {"connection", FIELD_CONNECTION},
                 {"keep-alive", FIELD_KEEP_ALIVE}, {"tracestate", FIELD_TRACESTATE}),
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

// Eight bytes with the bit set that makes A to Z lower case. Of what can stand in a name it turns nothing
// else into what stands in the names above: '-' and digits have it, and what they are without it is no token
// character (RFC 9110 5.6.2).
static inline uint64_t lower_word(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word | UINT64_C(0x2020202020202020);
}

// "Content_Length" and "Transfer_Encoding" frame nothing, but gateway interfaces that write '_' for '-' (RFC
// 3875 4.1.18) tell an application otherwise.
static bool is_framing_twin(struct slice name) {
    return slice_equal_fold(name, SLICE("Content_Length")) ||
           slice_equal_fold(name, SLICE("Transfer_Encoding"));
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

static inline enum field_id among_known(struct slice name) {
    char copy[8 * WORDS] = {0};
    memcpy(copy, name.at, name.len);
    uint64_t first = lower_word(copy), second = lower_word(copy + 8), third = lower_word(copy + 16);
    for (const struct known *known = known_by_length[name.len]; known->id != FIELD_OTHER; known++)
        if (first == lower_word(known->name) && second == lower_word(known->name + 8) &&
            third == lower_word(known->name + 16))
            return known->id;
    return FIELD_OTHER;
}

enum field_id field_identify(struct slice name) {
    if (name.len <= LONGEST && known_by_length[name.len]) {
        enum field_id id = among_known(name);
        if (id != FIELD_OTHER)
            return id;
    }
    if (is_framing_twin(name))
        return FIELD_FRAMING_TWIN;
    if (name.len > 2 && octet_lower(name.at[0]) == 'x') {
        if (has_family(name, "x-sluice", 8))
            return FIELD_X_SLUICE;
        if (has_family(name, "x-forwarded", 11))
            return FIELD_X_FORWARDED_OTHER;
    }
    return FIELD_OTHER;
}

const struct field *head_find_present(const struct head *head, enum field_id id) {
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
    if (!head_has(head, FIELD_BIT(id)))
        return false;
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

#include "http/hop.h"
#include "octet.h"

#define HOP_BY_HOP                                                                                      \
    (FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_KEEP_ALIVE) | FIELD_BIT(FIELD_PROXY_CONNECTION) |    \
     FIELD_BIT(FIELD_PROXY_AUTHENTICATE) | FIELD_BIT(FIELD_PROXY_AUTHORIZATION) | FIELD_BIT(FIELD_TE) | \
     FIELD_BIT(FIELD_TRAILER) /* announced anew where trailers go on */ |                               \
     FIELD_BIT(FIELD_TRANSFER_ENCODING) | FIELD_BIT(FIELD_UPGRADE) | FIELD_BIT(FIELD_HTTP2_SETTINGS))
#define FORWARDING                                                                                        \
    (FIELD_BIT(FIELD_FORWARDED) | FIELD_BIT(FIELD_X_FORWARDED_FOR) | FIELD_BIT(FIELD_X_FORWARDED_PROTO) | \
     FIELD_BIT(FIELD_X_FORWARDED_HOST) | FIELD_BIT(FIELD_X_FORWARDED_OTHER))

// What Connection cannot name away: a client could otherwise remove what the next hop trusts us to have said.
static bool is_essential(const struct field *field) {
    switch (field->id) {
    case FIELD_HOST:
    case FIELD_CONTENT_LENGTH:
    case FIELD_CONTENT_TYPE:
    case FIELD_CONTENT_ENCODING:
    case FIELD_COOKIE:
    case FIELD_AUTHORIZATION:
    case FIELD_EXPECT:
    case FIELD_VIA:
    case FIELD_FORWARDED:
    case FIELD_X_FORWARDED_FOR:
    case FIELD_X_FORWARDED_PROTO:
    case FIELD_X_FORWARDED_HOST:
    case FIELD_X_FORWARDED_OTHER:
    case FIELD_X_REQUEST_ID:
    case FIELD_TRACEPARENT:
    case FIELD_RETRY_AFTER:
    case FIELD_MAX_FORWARDS:
        return true;
    default:
        return slice_equal_fold(field->name, SLICE("Set-Cookie"));
    }
}

static bool is_usual_option(struct slice option) { // the ones that name no field to look for
    switch (option.len) {
    case 0:
        return true;
    case 5:
        return slice_equal_fold(option, SLICE("close"));
    case 7:
        return slice_equal_fold(option, SLICE("upgrade"));
    case 10:
        return slice_equal_fold(option, SLICE("keep-alive"));
    default:
        return false;
    }
}

static void drop_named(struct head *head, struct slice name) {
    for (size_t i = 0; i < head->field_count; i++)
        if (slice_equal_fold(head->fields[i].name, name) && !is_essential(&head->fields[i]))
            head->fields[i].drop = true;
}

static void drop_options(struct head *head, struct slice connection) {
    if (is_usual_option(connection)) // the only one, nearly always
        return;
    for (struct slice rest = connection; rest.at;) {
        struct slice option = slice_trim(slice_cut(&rest, ','));
        if (!is_usual_option(option))
            drop_named(head, option);
    }
}

static void drop_all(struct head *head, uint64_t fields) {
    if (!head_has(head, fields))
        return;
    for (size_t i = 0; i < head->field_count; i++)
        if (fields & FIELD_BIT(head->fields[i].id))
            head->fields[i].drop = true;
}

static void mark_hops(struct head *head) {
    drop_all(head, HOP_BY_HOP);
    if (!head_has(head, FIELD_BIT(FIELD_CONNECTION)))
        return;
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].id == FIELD_CONNECTION)
            drop_options(head, head->fields[i].value);
}

// A twin of a field that is read elsewhere with '-': nobody's honest intention.
static void drop_forwarding_twins(struct head *head) {
    if (!head_has(head, FIELD_BIT(FIELD_X_FORWARDED_OTHER)))
        return;
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if (field->id == FIELD_X_FORWARDED_OTHER && slice_find(field->name, '_') < field->name.len)
            field->drop = true;
    }
}

void hop_mark_request(struct head *head, bool trusted_peer) {
    mark_hops(head);
    drop_all(head,
             FIELD_BIT(FIELD_X_SLUICE) | FIELD_BIT(FIELD_FRAMING_TWIN) | (trusted_peer ? 0 : FORWARDING));
    drop_forwarding_twins(head);
}

void hop_mark_response(struct head *head) {
    bool no_length = head->status < 200 || head->status == 204; // RFC 9110 8.6: must not be sent
    mark_hops(head);
    drop_all(head, FIELD_BIT(FIELD_X_SLUICE) | (no_length ? FIELD_BIT(FIELD_CONTENT_LENGTH) : 0));
}

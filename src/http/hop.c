#include "http/hop.h"
#include "octet.h"

static bool is_hop_by_hop(enum field_id id) {
    switch (id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_PROXY_AUTHENTICATE:
    case FIELD_PROXY_AUTHORIZATION:
    case FIELD_TE:
    case FIELD_TRAILER: // announced anew where trailers go on
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
        return true;
    default:
        return false;
    }
}

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

static void mark_hops(struct head *head) {
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if (!is_hop_by_hop(field->id))
            continue;
        field->drop = true;
        if (field->id != FIELD_CONNECTION)
            continue;
        for (struct slice rest = field->value; rest.at;) {
            struct slice option = slice_trim(slice_cut(&rest, ','));
            if (!is_usual_option(option))
                drop_named(head, option);
        }
    }
}

static bool is_forwarding(enum field_id id) {
    return id == FIELD_FORWARDED || id == FIELD_X_FORWARDED_FOR || id == FIELD_X_FORWARDED_PROTO ||
           id == FIELD_X_FORWARDED_HOST || id == FIELD_X_FORWARDED_OTHER;
}

// "Content_Length" and "Transfer_Encoding" frame nothing, but gateway interfaces that write '_' for '-' (RFC
// 3875 4.1.18) tell an application otherwise.
static bool is_framing_twin(const struct field *field) {
    struct slice second = field->name, first = slice_cut(&second, '_');
    return second.at &&
           ((slice_equal_fold(first, SLICE("Content")) && slice_equal_fold(second, SLICE("Length"))) ||
            (slice_equal_fold(first, SLICE("Transfer")) && slice_equal_fold(second, SLICE("Encoding"))));
}

void hop_mark_request(struct head *head, bool trusted_peer) {
    mark_hops(head);
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if (field->id == FIELD_X_SLUICE || (is_forwarding(field->id) && !trusted_peer) ||
            is_framing_twin(field))
            field->drop = true;
        else if (field->id == FIELD_X_FORWARDED_OTHER && slice_find(field->name, '_') < field->name.len)
            field->drop =
                true; // a twin of a field that is read elsewhere with '-': nobody's honest intention
    }
}

void hop_mark_response(struct head *head) {
    mark_hops(head);
    bool no_length = head->status < 200 || head->status == 204; // RFC 9110 8.6: must not be sent
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if (field->id == FIELD_X_SLUICE || (no_length && field->id == FIELD_CONTENT_LENGTH))
            field->drop = true;
    }
}

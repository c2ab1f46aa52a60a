#include "traffic/forwarded.h"
#include "http/uri.h"

#define HOST_MOST 261 // a DNS name and a port

static bool is_port(struct slice text) {
    uint64_t value;
    return text.len <= 5 && slice_to_u64(text, &value) && value <= 65535;
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
static bool read_element(struct slice text, struct ip *ip) {
    if (text.len && text.at[0] == '[') {
        size_t end = slice_find(text, ']');
        if (end == text.len)
            return false;
        struct slice rest = slice_from(text, end + 1);
        if (rest.len && (rest.at[0] != ':' || !is_port(slice_from(rest, 1))))
            return false;
        return ip_parse(slice_make(text.at + 1, end - 1), ip) && memchr(text.at, ':', end);
    }
    if (ip_parse(text, ip))
        return true;
    size_t colon = slice_find(text, ':');
    return colon < text.len && is_port(slice_from(text, colon + 1)) &&
           ip_parse(slice_make(text.at, colon), ip);
}

// Cuts the last element off; *list becomes what stands before it, at == NULL when nothing does.
static struct slice cut_last(struct slice *list) {
    size_t start = list->len;
    while (start > 0 && list->at[start - 1] != ',')
        start--;
    struct slice last = slice_make(list->at + start, list->len - start);
    *list = start ? slice_make(list->at, start - 1) : slice_make(NULL, 0);
    return slice_trim(last);
}

struct ip forwarded_client(const struct head *head, const struct ip *peer,
                           const struct network_list *trusted) {
    struct ip client = *peer;
    if (!network_list_holds(trusted, peer))
        return client;
    for (size_t i = head->field_count; i-- > 0;) {
        if (head->fields[i].id != FIELD_X_FORWARDED_FOR)
            continue;
        for (struct slice rest = head->fields[i].value; rest.at;) {
            struct slice element = cut_last(&rest);
            if (element.len == 0) // an empty element says nothing (RFC 9110 5.6.1)
                continue;
            struct ip ip;
            if (!read_element(element, &ip))
                return client;
            client = ip;
            if (!network_list_holds(trusted, &ip))
                return client;
        }
    }
    return client;
}

void forwarded_chain(const struct head *head, struct strbuf *out) {
    size_t before = out->len;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != FIELD_X_FORWARDED_FOR || head->fields[i].value.len == 0)
            continue;
        if (out->len > before)
            strbuf_literal(out, ", ");
        strbuf_slice(out, head->fields[i].value);
    }
}

// The value of the one field with that id; at == NULL when there is none or several.
static struct slice only(const struct head *head, enum field_id id) {
    struct slice found = SLICE_NONE;
    for (size_t i = 0; i < head->field_count; i++) {
        if (head->fields[i].id != id)
            continue;
        if (found.at)
            return SLICE_NONE;
        found = head->fields[i].value;
    }
    return found;
}

struct slice forwarded_proto(const struct head *head) {
    struct slice value = only(head, FIELD_X_FORWARDED_PROTO);
    if (slice_equal_fold(value, SLICE("https")))
        return SLICE("https");
    return slice_equal_fold(value, SLICE("http")) ? SLICE("http") : SLICE_NONE;
}

struct slice forwarded_host(const struct head *head) {
    struct slice value = only(head, FIELD_X_FORWARDED_HOST), host;
    return value.len <= HOST_MOST && uri_host(value, &host) ? value : SLICE_NONE;
}

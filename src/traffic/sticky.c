#include "traffic/sticky.h"

#include "base/hash.h"
#include "base/mem.h"
#include "http/cookie.h"
#include "token.h"
#include "traffic/pointer.h"

#define ISSUED_UNIT_BYTES 128

static struct slice from_header(const struct request_view *view, struct slice name) {
    const struct head *head = view->head;
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].value.len > 0 && slice_equal_fold(head->fields[i].name, name))
            return head->fields[i].value;
    return slice_make(NULL, 0);
}

static struct slice from_token(const struct request_view *view, const char *claim) {
    const struct field *field = head_find(view->head, FIELD_AUTHORIZATION);
    return field ? token_claim(field->value, claim, view->arena) : slice_make(NULL, 0);
}

static struct slice from_body(const struct request_view *view, const char *pointer) {
    struct document *document = document_parse(view->body);
    if (!document)
        return slice_make(NULL, 0);
    struct slice value = document_scalar(document, pointer, view->arena);
    document_free(document);
    return value;
}

static struct slice from_source(const struct sticky_source *source, const struct request_view *view) {
    switch (source->kind) {
    case UNIT_HEADER:
        return from_header(view, slice_of(source->name));
    case UNIT_COOKIE:
        return cookie_find(view->head, slice_of(source->name));
    case UNIT_JWT:
        return from_token(view, source->name);
    case UNIT_QUERY:
        return uri_query_value(view->uri.query, slice_of(source->name), view->arena);
    case UNIT_JSON:
        return from_body(view, source->name);
    case UNIT_CLIENT_IP:
        return view->client_ip;
    case UNIT_ISSUED:
    case UNIT_RANDOM:
        break;
    }
    must_fail("a source that `by` can name", __FILE__, __LINE__);
}

struct slice sticky_cookie(const struct sticky_config *sticky, const struct request_view *view) {
    return sticky->cookie ? cookie_find(view->head, slice_of(sticky->cookie)) : slice_make(NULL, 0);
}

struct unit sticky_unit(const struct sticky_config *sticky, const struct request_view *view) {
    for (size_t i = 0; i < sticky->by_count; i++) {
        struct slice value = from_source(&sticky->by[i], view);
        if (value.len > 0)
            return (struct unit){.value = value, .source = sticky->by[i].kind};
    }
    struct slice issued = sticky_read_cookie(sticky_cookie(sticky, view)).unit;
    if (issued.at)
        return (struct unit){.value = issued, .source = UNIT_ISSUED};
    return (struct unit){.source = UNIT_RANDOM};
}

static bool looks_into_body(const struct sticky_config *sticky) {
    for (size_t i = 0; i < sticky->by_count; i++)
        if (sticky->by[i].kind == UNIT_JSON)
            return true;
    return false;
}

bool sticky_needs_body(const struct sticky_config *sticky, const struct request_view *view) {
    if (!looks_into_body(sticky))
        return false;
    for (size_t i = 0; i < sticky->by_count; i++) {
        if (sticky->by[i].kind == UNIT_JSON)
            return true;
        if (from_source(&sticky->by[i], view).len > 0)
            return false;
    }
    return false;
}

static bool sane(struct slice unit) {
    if (unit.len == 0 || unit.len > ISSUED_UNIT_BYTES)
        return false;
    for (size_t i = 0; i < unit.len; i++) {
        char c = unit.at[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

struct pin sticky_read_cookie(struct slice value) {
    struct pin pin = {0};
    if (!value.at)
        return pin;
    struct slice rest = value;
    struct slice unit = slice_cut(&rest, '~');
    if (!sane(unit))
        return pin;
    pin.unit = unit;
    if (!rest.at)
        return pin;
    struct slice variant = slice_cut(&rest, '~');
    if (variant.len == 0 || !rest.at || rest.len == 0 || slice_find(rest, '~') < rest.len)
        return pin;
    pin.variant = variant;
    pin.stamp = rest;
    return pin;
}

void sticky_stamp(const struct variant_config *variant, char stamp[9]) {
    static const char digits[] = "0123456789abcdef";
    uint64_t name = hash_bytes(0, slice_of(variant->name));
    uint64_t both = hash_bytes(name, variant->version ? slice_of(variant->version) : SLICE(""));
    for (int i = 0; i < 8; i++)
        stamp[i] = digits[both >> (28 - 4 * i) & 15];
    stamp[8] = '\0';
}

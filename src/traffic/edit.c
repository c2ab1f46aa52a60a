#include "traffic/edit.h"

// Fields that say how the message is framed or belong to one connection, and the proxy's own: no edit touches
// them.
static bool settable(enum field_id id) {
    switch (id) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_PROXY_CONNECTION:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_UPGRADE:
    case FIELD_HTTP2_SETTINGS:
    case FIELD_EXPECT:
    case FIELD_X_SLUICE:
        return false;
    default:
        return true;
    }
}

static bool sets(const struct request_edit_config *edit, struct slice name) {
    for (size_t i = 0; i < edit->set_headers.count; i++)
        if (slice_equal_fold(name, slice_of(edit->set_headers.items[i].name)))
            return true;
    return false;
}

static bool removes(const struct request_edit_config *edit, struct slice name) {
    for (size_t i = 0; i < edit->remove_headers.count; i++)
        if (slice_equal_fold(name, slice_of(edit->remove_headers.items[i])))
            return true;
    return false;
}

bool edit_touches(const struct request_edit_config *edit, struct slice name) {
    return edit && (sets(edit, name) || removes(edit, name));
}

// A request needs a Host: it can be set, not removed.
static bool replaces(const struct request_edit_config *edit, const struct field *field) {
    return field->id == FIELD_HOST ? sets(edit, field->name) : edit_touches(edit, field->name);
}

void edit_mark(const struct request_edit_config *edit, struct head *head) {
    if (!edit)
        return;
    for (size_t i = 0; i < head->field_count; i++) {
        struct field *field = &head->fields[i];
        if (!field->drop && settable(field->id) && replaces(edit, field))
            field->drop = true;
    }
}

void edit_write(const struct request_edit_config *edit, struct strbuf *out) {
    for (size_t i = 0; edit && i < edit->set_headers.count; i++) {
        const struct header_config *header = &edit->set_headers.items[i];
        struct slice name = slice_of(header->name);
        if (!settable(field_identify(name)))
            continue;
        strbuf_slice(out, name);
        strbuf_literal(out, ": ");
        strbuf_string(out, header->value);
        strbuf_literal(out, "\r\n");
    }
}

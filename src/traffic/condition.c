#include "condition.h"

static bool method_listed(const struct string_list *methods, struct slice method) {
    for (size_t i = 0; i < methods->count; i++)
        if (slice_equal(method, slice_of(methods->items[i])))
            return true;
    return methods->count == 0;
}

// An empty value in the configuration asks only that the field is there. Of several lines any may match.
static bool header_present(const struct header_config *wanted, const struct head *head) {
    struct slice name = slice_of(wanted->name), value = slice_of(wanted->value);
    for (size_t i = 0; i < head->field_count; i++) {
        const struct field *field = &head->fields[i];
        if (field->name.len == name.len && slice_equal_fold(field->name, name) &&
            (value.len == 0 || slice_equal(field->value, value)))
            return true;
    }
    return false;
}

bool condition_head(const struct match_config *match, const struct head *head) {
    if (!method_listed(&match->methods, head->method))
        return false;
    for (size_t i = 0; i < match->headers.count; i++)
        if (!header_present(&match->headers.items[i], head))
            return false;
    return true;
}

bool condition_json(const struct match_config *match, const struct document *document) {
    if (match->json.count == 0)
        return true;
    if (!document)
        return false;
    for (size_t i = 0; i < match->json.count; i++)
        if (!document_equals(document, match->json.items[i].pointer, match->json.items[i].json))
            return false;
    return true;
}

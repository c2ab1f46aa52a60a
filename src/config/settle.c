// Fills structs from nodes through the schema's tables.
#include "base/mem.h"
#include "base/strbuf.h"
#include "schema.h"
#include "value.h"
#include <stdio.h>

static const char *const type_words[] = {
    [TYPE_STRING] = "a string",
    [TYPE_NAME] = "a name (letters, digits, `_`, `.`, `-`; at most 64)",
    [TYPE_PATH] = "a path",
    [TYPE_BOOL] = "true or false",
    [TYPE_INTEGER] = "a whole number",
    [TYPE_NUMBER] = "a number",
    [TYPE_DURATION] = "a duration such as 250ms, 5s, 10m or 1h",
    [TYPE_SIZE] = "a size such as 4096, 16KiB or 10MiB",
    [TYPE_PERCENT] = "a percentage with at most two decimals",
};

void settle_wrong(struct settle *settle, const struct node *node, const char *wanted) {
    if (node->kind == NODE_SCALAR)
        report_add(settle->report, node->place, NULL, "\"%.100s\" is not %s", node->text, wanted);
    else
        report_add(settle->report, node->place, NULL, "expected %s, found %s", wanted, node_kind_name(node));
}

bool settle_kind(struct settle *settle, const struct node *node, enum node_kind kind, const char *what) {
    static const char *const kinds[] = {"a single value", "a list", "a mapping"};
    if (node->kind == kind)
        return true;
    report_add(settle->report, node->place, NULL, "%s must be %s, not %s", what, kinds[kind],
               node_kind_name(node));
    return false;
}

const char *settle_path(struct settle *settle, const char *path) {
    return *path == '/' || strcmp(path, "-") == 0
               ? path
               : arena_format(settle->arena, "%s/%s", settle->folder, path);
}

static void *field_at(void *object, size_t offset) {
    return (char *)object + offset;
}

// ---- scalars

static void check_range(struct settle *settle, const struct key *key, const struct node *node,
                        int64_t value) {
    if ((key->least || key->most) && (value < key->least || value > key->most)) {
        if (key->type == TYPE_INTEGER)
            report_add(settle->report, node->place, NULL, "`%s` must be from %lld to %lld, not %s", key->name,
                       (long long)key->least, (long long)key->most, node->text);
        else
            report_add(settle->report, node->place, NULL, "`%s: %s` is out of range (%s)", key->name,
                       node->text, key->type_text);
    }
}

static void read_enum(struct settle *settle, const struct key *key, const struct node *node, int *field) {
    size_t count = 0;
    for (; key->choices[count]; count++) {
        if (strcmp(node->text, key->choices[count]) == 0) {
            *field = (int)count;
            return;
        }
    }
    struct strbuf list = {0};
    for (size_t i = 0; i < count; i++)
        strbuf_format(&list, "%s%s", i == 0 ? "" : i + 1 == count ? " or " : ", ", key->choices[i]);
    report_add(settle->report, node->place, suggest(settle->arena, node->text, key->choices, count),
               "`%s` must be %s, not \"%.100s\"", key->name, strbuf_text(&list), node->text);
    strbuf_free(&list);
}

static bool read_amount(const struct key *key, const char *text, int64_t *value) {
    switch (key->type) {
    case TYPE_INTEGER:
        return value_integer(text, value);
    case TYPE_DURATION:
        if ((key->flags & KEY_OFF) && strcmp(text, "off") == 0) {
            *value = DURATION_OFF;
            return true;
        }
        return value_duration(text, value);
    case TYPE_SIZE:
        return value_size(text, value);
    default:
        return value_percent(text, value);
    }
}

static void read_scalar(struct settle *settle, const struct key *key, const struct node *node, void *field) {
    int64_t amount;
    if (node->kind != NODE_SCALAR || (node_is_null(node) && key->type != TYPE_STRING)) {
        settle_wrong(settle, node, key->type == TYPE_ENUM ? "a single word" : type_words[key->type]);
        return;
    }
    switch (key->type) {
    case TYPE_STRING:
        *(const char **)field = (key->flags & KEY_OFF) && strcmp(node->text, "off") == 0 ? NULL : node->text;
        break;
    case TYPE_NAME:
        *(const char **)field = node->text;
        if (!name_valid(node->text))
            settle_wrong(settle, node, type_words[TYPE_NAME]);
        break;
    case TYPE_PATH:
        *(const char **)field =
            (key->flags & KEY_OFF) && strcmp(node->text, "off") == 0 ? NULL : settle_path(settle, node->text);
        break;
    case TYPE_BOOL:
        if (!value_bool(node->text, field))
            settle_wrong(settle, node, type_words[TYPE_BOOL]);
        break;
    case TYPE_NUMBER:
        if (!value_number(node->text, field))
            settle_wrong(settle, node, type_words[TYPE_NUMBER]);
        break;
    case TYPE_ENUM:
        read_enum(settle, key, node, field);
        break;
    default:
        if (read_amount(key, node->text, &amount)) {
            *(int64_t *)field = amount;
            if (amount != DURATION_OFF || key->type != TYPE_DURATION)
                check_range(settle, key, node, amount);
        } else {
            settle_wrong(settle, node, type_words[key->type]);
        }
        break;
    }
}

// ---- lists and maps

static void read_strings(struct settle *settle, const struct key *key, const struct node *node,
                         struct string_list *list) {
    if (!settle_kind(settle, node, NODE_LIST, arena_format(settle->arena, "`%s`", key->name)))
        return;
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        if (node->items[i]->kind == NODE_SCALAR)
            list->items[list->count++] = node->items[i]->text;
        else
            settle_wrong(settle, node->items[i], "a string");
    }
}

static void read_integers(struct settle *settle, const struct key *key, const struct node *node,
                          int64_t **items, size_t *count) {
    if (!settle_kind(settle, node, NODE_LIST, arena_format(settle->arena, "`%s`", key->name)))
        return;
    *items = arena_zero(settle->arena, node->count, sizeof **items);
    *count = 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i];
        if (item->kind != NODE_SCALAR || !value_integer(item->text, &(*items)[*count]))
            settle_wrong(settle, item, "a whole number");
        else
            check_range(settle, key, item, (*items)[(*count)++]);
    }
}

static void read_headers(struct settle *settle, const struct key *key, const struct node *node,
                         struct header_list *list) {
    if (!settle_kind(settle, node, NODE_MAP, arena_format(settle->arena, "`%s`", key->name)))
        return;
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        if (!token_valid(pair->key))
            report_add(settle->report, pair->place, NULL, "\"%s\" is not a header name", pair->key);
        else if (pair->value->kind != NODE_SCALAR)
            settle_wrong(settle, pair->value, "a header value");
        else if (!header_value_valid(pair->value->text))
            report_add(settle->report, pair->value->place, NULL,
                       "the value of `%s` holds a control character", pair->key);
        else
            list->items[list->count++] = (struct header_config){pair->key, pair->value->text};
    }
}

// A YAML scalar as JSON text: quoted is a string; else null, true, false and JSON numbers are what they look
// like.
static const char *as_json(struct settle *settle, const struct node *node) {
    double number;
    if (!node->quoted && node_is_null(node))
        return "null";
    if (!node->quoted && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0))
        return node->text;
    if (!node->quoted && value_number(node->text, &number) && *node->text != '.')
        return node->text;
    struct strbuf text = {0};
    strbuf_json(&text, slice_of(node->text));
    const char *result = arena_string(settle->arena, strbuf_as_slice(&text));
    strbuf_free(&text);
    return result;
}

static bool pointer_form(const char *pointer) {
    if (*pointer && *pointer != '/')
        return false;
    for (; *pointer; pointer++)
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    return true;
}

static void read_pointers(struct settle *settle, const struct key *key, const struct node *node,
                          struct pointer_list *list) {
    if (!settle_kind(settle, node, NODE_MAP, arena_format(settle->arena, "`%s`", key->name)))
        return;
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        if (!pointer_form(pair->key))
            report_add(settle->report, pair->place, "it starts with /", "\"%s\" is not a JSON pointer",
                       pair->key);
        else if (pair->value->kind != NODE_SCALAR)
            settle_wrong(settle, pair->value, "a single JSON value");
        else
            list->items[list->count++] = (struct pointer_config){pair->key, as_json(settle, pair->value)};
    }
}

static void read_item(struct settle *settle, const struct section *section, const struct node *node,
                      void *object) {
    if (node->kind == NODE_SCALAR && section->read_scalar) {
        settle_section(settle, section, NULL, object);
        if (section->place_offset)
            *(struct place *)field_at(object, section->place_offset - 1) = node->place;
        section->read_scalar(settle, node, object);
    } else if (node->kind != NODE_MAP) {
        settle_section(settle, section, NULL, object);
        report_add(settle->report, node->place, NULL, "%s must be a mapping, not %s", section->what,
                   node_kind_name(node));
    } else {
        settle_section(settle, section, node, object);
    }
}

static void read_list(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    if (!settle_kind(settle, node, NODE_LIST, arena_format(settle->arena, "`%s`", key->name)))
        return;
    char *items = arena_zero(settle->arena, node->count, key->child->size);
    for (size_t i = 0; i < node->count; i++)
        read_item(settle, key->child, node->items[i], items + i * key->child->size);
    *(void **)field_at(object, key->offset) = items;
    *(size_t *)field_at(object, key->count_offset) = node->count;
}

static void read_named(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    if (!settle_kind(settle, node, NODE_MAP, arena_format(settle->arena, "`%s`", key->name)))
        return;
    const struct section *section = key->child;
    char *items = arena_zero(settle->arena, node->count, section->size);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        char *item = items + i * section->size;
        read_item(settle, section, pair->value, item);
        *(const char **)field_at(item, section->name_offset - 1) = pair->key;
        if (section->place_offset)
            *(struct place *)field_at(item, section->place_offset - 1) = pair->place;
        if (!name_valid(pair->key))
            report_add(settle->report, pair->place, NULL, "\"%.100s\" is not %s", pair->key,
                       type_words[TYPE_NAME]);
    }
    *(void **)field_at(object, key->offset) = items;
    *(size_t *)field_at(object, key->count_offset) = node->count;
}

// ---- sections

static void read_value(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    void *field = field_at(object, key->offset);
    switch (key->type) {
    case TYPE_STRINGS:
        read_strings(settle, key, node, field);
        break;
    case TYPE_INTEGERS:
        read_integers(settle, key, node, field, field_at(object, key->count_offset));
        break;
    case TYPE_HEADERS:
        read_headers(settle, key, node, field);
        break;
    case TYPE_POINTERS:
        read_pointers(settle, key, node, field);
        break;
    case TYPE_STRUCT:
        read_item(settle, key->child, node, field);
        break;
    case TYPE_OPTIONAL:
        *(void **)field = arena_zero(settle->arena, 1, key->child->size);
        read_item(settle, key->child, node, *(void **)field);
        break;
    case TYPE_LIST:
        read_list(settle, key, node, object);
        break;
    case TYPE_NAMED:
        read_named(settle, key, node, object);
        break;
    case TYPE_CUSTOM:
        key->read(settle, node, field);
        break;
    default:
        read_scalar(settle, key, node, field);
        break;
    }
}

static void set_default(struct settle *settle, const struct key *key, void *object) {
    void *field = field_at(object, key->offset);
    if (key->flags & KEY_INHERIT)
        *(int64_t *)field = TIMEOUT_INHERIT;
    else if (key->flags & KEY_UNSET)
        *(int64_t *)field = -1;
    else if (key->type == TYPE_STRUCT)
        settle_section(settle, key->child, NULL, field);
    else if (key->standard && key->type != TYPE_LIST && key->type != TYPE_NAMED &&
             key->type != TYPE_OPTIONAL && key->type != TYPE_STRINGS && key->type != TYPE_INTEGERS) {
        struct node node = {.kind = NODE_SCALAR, .text = key->standard};
        read_value(settle, key, &node, object);
    }
}

static const struct key *key_named(const struct section *section, const char *name) {
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->keys[i].name, name) == 0)
            return &section->keys[i];
    return NULL;
}

static void unknown_key(struct settle *settle, const struct section *section, const struct pair *pair) {
    const char *names[64];
    for (size_t i = 0; i < section->count; i++)
        names[i] = section->keys[i].name;
    report_add(settle->report, pair->place, suggest(settle->arena, pair->key, names, section->count),
               "unknown key `%.100s` in %s", pair->key, section->what);
}

void settle_section(struct settle *settle, const struct section *section, const struct node *node,
                    void *object) {
    bool given[64] = {false};
    must(section->count <= 64);
    if (node && section->place_offset)
        *(struct place *)field_at(object, section->place_offset - 1) = node->place;
    for (size_t i = 0; node && i < node->count; i++) {
        const struct key *key = key_named(section, node->pairs[i].key);
        if (!key)
            unknown_key(settle, section, &node->pairs[i]);
        else
            given[key - section->keys] = true;
    }
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];
        set_default(settle, key, object);
        if (node && !given[i] && (key->flags & KEY_REQUIRED))
            report_add(settle->report, node->place, NULL, "%s needs `%s`", section->what, key->name);
    }
    for (size_t i = 0; node && i < node->count; i++) {
        const struct key *key = key_named(section, node->pairs[i].key);
        if (key)
            read_value(settle, key, node->pairs[i].value, object);
    }
}

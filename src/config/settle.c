// Fills structs from nodes through the schema's tables.
#include "base/mem.h"
#include "schema.h"
#include "value.h"

#define KEYS_MOST 64

void settle_wrong(struct settle *settle, const struct node *node, const char *what, const char *wanted) {
    if (node->kind == NODE_BROKEN)
        settle->report->refusals++;
    else if (node_is_null(node))
        report_add(settle->report, node->place, NULL, "%s must be %s; nothing is given", what, wanted);
    else if (node->kind == NODE_SCALAR)
        report_add(settle->report, node->place, NULL, "%s must be %s, not \"%.100s\"", what, wanted,
                   node->text);
    else
        report_add(settle->report, node->place, NULL, "%s must be %s, not %s", what, wanted,
                   node->kind == NODE_LIST ? "a list" : "a mapping");
}

bool settle_kind(struct settle *settle, const struct node *node, enum node_kind kind, const char *what) {
    static const char *const kinds[] = {"a single value", "a list", "a mapping"};
    if (node->kind != kind)
        settle_wrong(settle, node, what, kinds[kind]);
    return node->kind == kind;
}

const char *settle_label(struct settle *settle, const struct key *key) {
    return arena_format(settle->arena, "`%s`", key->name);
}

const char *settle_path(struct settle *settle, const struct node *node) {
    const char *path = node->text;
    if (*path != '/' && strcmp(path, "-") != 0)
        path = arena_format(settle->arena, "%s/%s", settle->folder, path);
    if (settle->path_count == settle->path_cap) {
        settle->path_cap = settle->path_cap ? settle->path_cap * 2 : 8;
        struct path_config *more = arena_zero(settle->arena, settle->path_cap, sizeof *more);
        if (settle->path_count)
            memcpy(more, settle->paths, settle->path_count * sizeof *more);
        settle->paths = more;
    }
    settle->paths[settle->path_count++] = (struct path_config){path, node->place, node->text};
    return path;
}

static void *field_at(void *object, size_t offset) {
    return (char *)object + offset;
}

// A mapping, or its short form.
static void read_item(struct settle *settle, const struct section *section, const struct node *node,
                      void *object) {
    if (node->kind == NODE_MAP) {
        settle_section(settle, section, node, object);
        return;
    }
    settle_section(settle, section, NULL, object);
    if (section->place_offset)
        *(struct place *)field_at(object, section->place_offset - 1) = node->place;
    if (section->read_scalar && node->kind == NODE_SCALAR && !node_is_null(node)) {
        section->read_scalar(settle, node, object);
    } else {
        settle_kind(settle, node, NODE_MAP, section->what);
        report_note(settle->report, object, node->place, true);
    }
}

static void read_list(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    if (node->kind != NODE_LIST) {
        settle_kind(settle, node, NODE_LIST, settle_label(settle, key));
        return;
    }
    char *items = arena_zero(settle->arena, node->count, key->child->size);
    for (size_t i = 0; i < node->count; i++)
        read_item(settle, key->child, node->items[i], items + i * key->child->size);
    *(void **)field_at(object, key->offset) = items;
    *(size_t *)field_at(object, key->count_offset) = node->count;
}

static void read_named(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    if (node->kind != NODE_MAP) {
        settle_kind(settle, node, NODE_MAP, settle_label(settle, key));
        return;
    }
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
            report_add(settle->report, pair->place, NULL, "\"%.100s\" is not " NAME_WORDS, pair->key);
    }
    *(void **)field_at(object, key->offset) = items;
    *(size_t *)field_at(object, key->count_offset) = node->count;
}

// ---- sections

static void read_value(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    void *field = field_at(object, key->offset);
    size_t before = settle->report->refusals;
    switch (key->type) {
    case TYPE_STRUCT:
        read_item(settle, key->child, node, field);
        return; // its keys are known one by one; an embedded struct has the address of its first field
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
        settle_plain(settle, key, node, object);
        break;
    }
    if (node->place.line) // not a default
        report_note(settle->report, field, node->place, settle->report->refusals > before);
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

// A misspelt key counts as given, so that nothing else complains of its absence.
static void unknown_key(struct settle *settle, const struct section *section, const struct pair *pair,
                        void *object, bool *given) {
    const char *names[KEYS_MOST];
    for (size_t i = 0; i < section->count; i++)
        names[i] = section->keys[i].name;
    size_t meant = nearest_word(pair->key, names, section->count);
    report_add(settle->report, pair->place, suggest(settle->arena, pair->key, names, section->count),
               "unknown key `%.100s` in %s", pair->key, section->what);
    if (meant < section->count && !given[meant]) {
        given[meant] = true;
        report_note(settle->report, field_at(object, section->keys[meant].offset), pair->place, true);
    }
}

void settle_section(struct settle *settle, const struct section *section, const struct node *node,
                    void *object) {
    bool given[KEYS_MOST] = {false};
    must(section->count <= KEYS_MOST);
    if (node && section->place_offset)
        *(struct place *)field_at(object, section->place_offset - 1) = node->place;
    for (size_t i = 0; i < section->count; i++)
        set_default(settle, &section->keys[i], object);
    for (size_t i = 0; node && i < node->count; i++) {
        const struct key *key = key_named(section, node->pairs[i].key);
        if (!key || given[key - section->keys]) // a repeated key was reported; its field is filled once
            continue;
        given[key - section->keys] = true;
        read_value(settle, key, node->pairs[i].value, object);
    }
    for (size_t i = 0; node && i < node->count; i++)
        if (!key_named(section, node->pairs[i].key))
            unknown_key(settle, section, &node->pairs[i], object, given);
    for (size_t i = 0; node && i < section->count; i++)
        if (!given[i] && (section->keys[i].flags & KEY_REQUIRED))
            report_add(settle->report, node->place, NULL, "%s needs `%s`", section->what,
                       section->keys[i].name);
}

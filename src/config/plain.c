// Plain values: scalars, and lists and mappings of them.
#include "base/mem.h"
#include "base/strbuf.h"
#include "names.h"
#include "schema.h"
#include "value.h"
#include <ctype.h>

static const char *const type_words[] = {
    [TYPE_STRING] = "a string",
    [TYPE_NAME] = NAME_WORDS,
    [TYPE_PATH] = "a path",
    [TYPE_BOOL] = "true or false",
    [TYPE_INTEGER] = "a whole number",
    [TYPE_NUMBER] = "a number",
    [TYPE_DURATION] = "a duration such as 250ms, 5s, 10m or 1h",
    [TYPE_SIZE] = "a size such as 4096, 16KiB or 10MiB",
    [TYPE_PERCENT] = "a percentage with at most two decimals",
};

// ---- scalars

static void check_range(struct settle *settle, const struct key *key, const struct node *node, double value) {
    if ((!key->least && !key->most) || (value >= (double)key->least && value <= (double)key->most))
        return;
    const char *range = key->type_text ? key->type_text
                                       : arena_format(settle->arena, "%lld to %lld", (long long)key->least,
                                                      (long long)key->most);
    report_add(settle->report, node->place, NULL, "`%s` must be from %s, not %.100s", key->name, range,
               node->text);
}

static const char *choices_text(struct settle *settle, const struct key *key) {
    struct strbuf list = {0};
    for (size_t i = 0; key->choices[i]; i++)
        strbuf_format(&list, "%s%s", i == 0 ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
    const char *text = arena_string(settle->arena, strbuf_as_slice(&list));
    strbuf_free(&list);
    return text;
}

static void read_enum(struct settle *settle, const struct key *key, const struct node *node, int *field) {
    size_t count = 0;
    for (; key->choices[count]; count++) {
        if (strcmp(node->text, key->choices[count]) == 0) {
            *field = (int)count;
            return;
        }
    }
    report_add(settle->report, node->place, suggest(settle->arena, node->text, key->choices, count),
               "`%s` must be %s, not \"%.100s\"", key->name, choices_text(settle, key), node->text);
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

static void read_string(struct settle *settle, const struct key *key, const struct node *node,
                        const char **field) {
    if ((key->flags & KEY_OFF) && strcmp(node->text, "off") == 0)
        *field = NULL;
    else if (key->type == TYPE_NAME ? !name_valid(node->text) : key->type == TYPE_PATH && !*node->text)
        settle_wrong(settle, node, settle_label(settle, key), type_words[key->type]);
    else
        *field = key->type == TYPE_PATH ? settle_path(settle, node) : node->text;
}

static void read_number(struct settle *settle, const struct key *key, const struct node *node,
                        double *field) {
    if (value_number(node->text, field))
        check_range(settle, key, node, *field);
    else
        settle_wrong(settle, node, settle_label(settle, key), type_words[TYPE_NUMBER]);
}

static void read_integer(struct settle *settle, const struct key *key, const struct node *node,
                         int64_t *field) {
    int64_t amount;
    if (!read_amount(key, node->text, &amount)) {
        settle_wrong(settle, node, settle_label(settle, key), type_words[key->type]);
        return;
    }
    *field = amount;
    if (amount != DURATION_OFF || key->type != TYPE_DURATION)
        check_range(settle, key, node, (double)amount);
}

static void read_scalar(struct settle *settle, const struct key *key, const struct node *node, void *field) {
    if (node->kind != NODE_SCALAR || node_is_null(node)) {
        const char *wanted = key->type == TYPE_ENUM ? choices_text(settle, key) : type_words[key->type];
        settle_wrong(settle, node, settle_label(settle, key), wanted);
        return;
    }
    switch (key->type) {
    case TYPE_STRING:
    case TYPE_NAME:
    case TYPE_PATH:
        read_string(settle, key, node, field);
        break;
    case TYPE_BOOL:
        if (!value_bool(node->text, field))
            settle_wrong(settle, node, settle_label(settle, key), type_words[TYPE_BOOL]);
        break;
    case TYPE_NUMBER:
        read_number(settle, key, node, field);
        break;
    case TYPE_ENUM:
        read_enum(settle, key, node, field);
        break;
    default:
        read_integer(settle, key, node, field);
        break;
    }
}

// ---- lists and maps

static const char *entry_label(struct settle *settle, const struct key *key) {
    return arena_format(settle->arena, "an entry of `%s`", key->name);
}

static const char *pair_label(struct settle *settle, const struct pair *pair) {
    return arena_format(settle->arena, "`%.100s`", pair->key);
}

static void take_string(struct settle *settle, struct string_list *list, const struct node *node) {
    report_note(settle->report, &list->items[list->count], node->place, false);
    list->items[list->count++] = node->text;
}

static void read_strings(struct settle *settle, const struct key *key, const struct node *node,
                         struct string_list *list) {
    if (node->kind != NODE_LIST) {
        settle_kind(settle, node, NODE_LIST, settle_label(settle, key));
        return;
    }
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        if (node->items[i]->kind == NODE_SCALAR)
            take_string(settle, list, node->items[i]);
        else
            settle_wrong(settle, node->items[i], entry_label(settle, key), "a string");
    }
}

static void read_integers(struct settle *settle, const struct key *key, const struct node *node,
                          int64_t **items, size_t *count) {
    if (node->kind != NODE_LIST) {
        settle_kind(settle, node, NODE_LIST, settle_label(settle, key));
        return;
    }
    *items = arena_zero(settle->arena, node->count, sizeof **items);
    *count = 0;
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i];
        if (item->kind != NODE_SCALAR || !value_integer(item->text, &(*items)[*count]))
            settle_wrong(settle, item, entry_label(settle, key), "a whole number");
        else
            check_range(settle, key, item, (double)(*items)[(*count)++]);
    }
}

// Header names are the same in any case.
static void find_repeated_headers(struct settle *settle, const struct node *node) {
    struct named *names = mem_alloc((node->count + 1) * sizeof *names);
    for (size_t i = 0; i < node->count; i++) {
        char *name = arena_string(settle->arena, slice_of(node->pairs[i].key));
        names[i] = (struct named){name, node->pairs[i].place, i};
        for (; *name; name++)
            *name = (char)tolower((unsigned char)*name);
    }
    names_sort(names, node->count);
    size_t count = node->count;
    for (size_t i = names_repeat(names, count, 1); i < count; i = names_repeat(names, count, i + 1)) {
        const char *name = node->pairs[names[i].index].key, *other = node->pairs[names[i - 1].index].key;
        if (strcmp(name, other) != 0) // else a duplicate key, which was reported
            report_add(settle->report, names[i].place, NULL,
                       "`%.100s` is the same header as `%.100s` in line %u", name, other,
                       names[i - 1].place.line);
    }
    mem_free(names);
}

static void read_headers(struct settle *settle, const struct key *key, const struct node *node,
                         struct header_list *list) {
    if (node->kind != NODE_MAP) {
        settle_kind(settle, node, NODE_MAP, settle_label(settle, key));
        return;
    }
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        if (!token_valid(pair->key)) {
            report_add(settle->report, pair->place, NULL, "\"%.100s\" is not a header name", pair->key);
        } else if (pair->value->kind != NODE_SCALAR) {
            settle_wrong(settle, pair->value, pair_label(settle, pair), "a single value");
        } else if (!header_value_valid(pair->value->text)) {
            report_add(settle->report, pair->value->place, NULL,
                       "the value of `%.100s` holds a control character", pair->key);
        } else {
            report_note(settle->report, &list->items[list->count], pair->place, false);
            list->items[list->count++] =
                (struct header_config){pair->key, node_is_null(pair->value) ? "" : pair->value->text};
        }
    }
    find_repeated_headers(settle, node);
}

// A YAML value as JSON text. Of scalars: quoted is a string; else null, true, false and JSON numbers are what
// they look like.
static void write_json(const struct node *node, struct strbuf *out) {
    if (node->kind == NODE_MAP || node->kind == NODE_LIST) {
        bool map = node->kind == NODE_MAP;
        strbuf_char(out, map ? '{' : '[');
        for (size_t i = 0; i < node->count; i++) {
            strbuf_string(out, i ? "," : "");
            if (map) {
                strbuf_json(out, slice_of(node->pairs[i].key));
                strbuf_char(out, ':');
            }
            write_json(map ? node->pairs[i].value : node->items[i], out);
        }
        strbuf_char(out, map ? '}' : ']');
    } else if (node->kind == NODE_BROKEN || node_is_null(node)) { // what is broken is in the report
        strbuf_literal(out, "null");
    } else if (!node->quoted && (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0 ||
                                 value_json_number(node->text))) {
        strbuf_string(out, node->text);
    } else {
        strbuf_json(out, slice_of(node->text));
    }
}

static const char *as_json(struct settle *settle, const struct node *node) {
    struct strbuf text = {0};
    write_json(node, &text);
    const char *result = arena_string(settle->arena, strbuf_as_slice(&text));
    strbuf_free(&text);
    return result;
}

static void read_pointers(struct settle *settle, const struct key *key, const struct node *node,
                          struct pointer_list *list) {
    if (node->kind != NODE_MAP) {
        settle_kind(settle, node, NODE_MAP, settle_label(settle, key));
        return;
    }
    list->items = arena_zero(settle->arena, node->count, sizeof *list->items);
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = &node->pairs[i];
        if (!pointer_valid(pair->key))
            report_add(settle->report, pair->place, "write /field/0/field",
                       "\"%.100s\" is not a JSON pointer", pair->key);
        else if (pair->value->kind != NODE_SCALAR && !(key->flags & KEY_NESTED))
            settle_wrong(settle, pair->value, pair_label(settle, pair), "a single JSON value");
        else
            list->items[list->count++] = (struct pointer_config){pair->key, as_json(settle, pair->value)};
    }
}

void settle_plain(struct settle *settle, const struct key *key, const struct node *node, void *object) {
    void *field = (char *)object + key->offset;
    switch (key->type) {
    case TYPE_STRINGS:
        read_strings(settle, key, node, field);
        break;
    case TYPE_INTEGERS:
        read_integers(settle, key, node, field, (size_t *)((char *)object + key->count_offset));
        break;
    case TYPE_HEADERS:
        read_headers(settle, key, node, field);
        break;
    case TYPE_POINTERS:
        read_pointers(settle, key, node, field);
        break;
    default:
        read_scalar(settle, key, node, field);
        break;
    }
}

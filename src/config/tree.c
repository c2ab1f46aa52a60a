#include "tree.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include <ctype.h>
#include <stdlib.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct report *report;
    unsigned depth;
    bool failed; // libyaml cannot go on
};

static struct place place_of(yaml_mark_t mark) {
    return (struct place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

const char *node_kind_name(const struct node *node) {
    static const char *const names[] = {"a single value", "a list", "a mapping"};
    return names[node->kind];
}

bool node_is_null(const struct node *node) {
    return node->kind == NODE_SCALAR && !node->quoted &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

static void parser_failed(struct reader *reader) {
    const yaml_parser_t *parser = &reader->parser;
    struct place place = place_of(parser->problem_mark);
    reader->failed = true;
    if (parser->error == YAML_READER_ERROR)
        place = place_of(parser->mark);
    report_add(reader->report, place, NULL, "not valid YAML: %s%s%s",
               parser->problem ? parser->problem : "cannot be read", parser->context ? " " : "",
               parser->context ? parser->context : "");
}

static bool next(struct reader *reader, yaml_event_t *event) {
    if (!reader->failed && yaml_parser_parse(&reader->parser, event))
        return true;
    if (!reader->failed)
        parser_failed(reader);
    memset(event, 0, sizeof *event);
    return false;
}

// ---- ${NAME}

static bool name_char(char c, bool first) {
    return c == '_' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

// One ${…} at `at` (behind the brace); returns where to go on, or NULL when it is malformed.
static const char *expand_one(struct reader *reader, const char *at, struct place place, struct strbuf *out) {
    const char *end = at;
    while (name_char(*end, end == at))
        end++;
    const char *close = strchr(end, '}');
    if (end == at || !close || (*end != '}' && strncmp(end, ":-", 2) != 0)) {
        report_add(reader->report, place, "write $${ for a literal ${",
                   "`${` must be followed by NAME} or NAME:-default}");
        return NULL;
    }
    const char *name = arena_string(reader->arena, slice_make(at, (size_t)(end - at)));
    const char *value = getenv(name);
    if (*end == ':' && (!value || !*value))
        strbuf_append(out, end + 2, (size_t)(close - end - 2));
    else if (value)
        strbuf_string(out, value);
    else
        report_add(reader->report, place, "set it, or write ${NAME:-default}",
                   "the environment variable %s is not set", name);
    return close + 1;
}

static const char *expand(struct reader *reader, const char *text, struct place place) {
    if (!strstr(text, "${"))
        return text;
    struct strbuf out = {0};
    while (text && *text) {
        if (strncmp(text, "$${", 3) == 0) {
            strbuf_string(&out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            text = expand_one(reader, text + 2, place, &out);
        } else {
            strbuf_char(&out, *text++);
        }
    }
    const char *result = arena_string(reader->arena, strbuf_as_slice(&out));
    strbuf_free(&out);
    return result;
}

// ---- nodes

static struct node *read_node(struct reader *reader, yaml_event_t *event);

static void refuse_extras(struct reader *reader, const yaml_char_t *anchor, const yaml_char_t *tag,
                          struct place place) {
    if (anchor)
        report_add(reader->report, place, NULL, "anchors are not supported");
    if (tag)
        report_add(reader->report, place, NULL, "tags are not supported");
}

static struct node *node_new(struct reader *reader, enum node_kind kind, struct place place) {
    struct node *node = arena_zero(reader->arena, 1, sizeof *node);
    node->kind = kind;
    node->place = place;
    return node;
}

static struct node *read_scalar(struct reader *reader, yaml_event_t *event, struct place place) {
    struct node *node = node_new(reader, NODE_SCALAR, place);
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (strlen(value) != len)
        report_add(reader->report, place, NULL, "a value must not contain a NUL character");
    node->text = expand(reader, arena_string(reader->arena, slice_make(value, strlen(value))), place);
    report_note(reader->report, node->text, place);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    refuse_extras(reader, event->data.scalar.anchor, event->data.scalar.tag, place);
    return node;
}

// A growing array whose final copy goes into the arena.
struct growing {
    void *items;
    size_t count, cap;
};
static void *grow(struct growing *growing, size_t size) {
    if (growing->count == growing->cap) {
        growing->cap = growing->cap ? growing->cap * 2 : 8;
        growing->items = mem_resize(growing->items, growing->cap * size);
    }
    return (char *)growing->items + growing->count++ * size;
}
static void *settle_array(struct reader *reader, struct growing *growing, size_t size) {
    void *copy = arena_alloc(reader->arena, growing->count * size);
    if (growing->count)
        memcpy(copy, growing->items, growing->count * size);
    mem_free(growing->items);
    return copy;
}

static struct node *read_list(struct reader *reader, struct place place) {
    struct node *node = node_new(reader, NODE_LIST, place);
    struct growing items = {0};
    yaml_event_t event;
    while (next(reader, &event) && event.type != YAML_SEQUENCE_END_EVENT) {
        struct node *item = read_node(reader, &event);
        if (item)
            *(struct node **)grow(&items, sizeof item) = item;
    }
    if (!reader->failed)
        yaml_event_delete(&event);
    node->count = items.count;
    node->items = settle_array(reader, &items, sizeof *node->items);
    return node;
}

static int by_key(const void *left, const void *right) {
    const struct pair *a = *(struct pair *const *)left, *b = *(struct pair *const *)right;
    int order = strcmp(a->key, b->key);
    return order ? order : (a > b) - (a < b);
}

static void find_duplicates(struct reader *reader, struct pair *pairs, size_t count) {
    if (count < 2)
        return;
    struct pair **sorted = mem_alloc(count * sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &pairs[i];
    qsort(sorted, count, sizeof *sorted, by_key);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            report_add(reader->report, sorted[i]->place, NULL, "duplicate key `%s`, first used in line %u",
                       sorted[i]->key, sorted[i - 1]->place.line);
    mem_free(sorted);
}

static struct node *read_map(struct reader *reader, struct place place) {
    struct node *node = node_new(reader, NODE_MAP, place);
    struct growing pairs = {0};
    yaml_event_t event;
    while (next(reader, &event) && event.type != YAML_MAPPING_END_EVENT) {
        struct place key_place = place_of(event.start_mark);
        const char *key = NULL;
        if (event.type == YAML_SCALAR_EVENT) {
            key = arena_string(reader->arena, slice_of((const char *)event.data.scalar.value));
            yaml_event_delete(&event);
        } else {
            report_add(reader->report, key_place, NULL, "a key must be a plain word");
            read_node(reader, &event);
        }
        if (!next(reader, &event))
            break;
        struct node *value = read_node(reader, &event);
        if (key && value)
            *(struct pair *)grow(&pairs, sizeof(struct pair)) = (struct pair){key, key_place, value};
    }
    if (!reader->failed)
        yaml_event_delete(&event);
    node->count = pairs.count;
    node->pairs = settle_array(reader, &pairs, sizeof *node->pairs);
    find_duplicates(reader, node->pairs, node->count);
    return node;
}

// Reads the node that begins with *event and releases the event.
static struct node *read_node(struct reader *reader, yaml_event_t *event) {
    struct place place = place_of(event->start_mark);
    struct node *node = NULL;
    if (++reader->depth > TREE_DEPTH) {
        report_add(reader->report, place, NULL, "nested more than %d levels deep", TREE_DEPTH);
        reader->failed = true;
    } else if (event->type == YAML_SCALAR_EVENT) {
        node = read_scalar(reader, event, place);
    } else if (event->type == YAML_ALIAS_EVENT) {
        report_add(reader->report, place, NULL, "aliases are not supported");
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        refuse_extras(reader, event->data.sequence_start.anchor, event->data.sequence_start.tag, place);
        node = read_list(reader, place);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        refuse_extras(reader, event->data.mapping_start.anchor, event->data.mapping_start.tag, place);
        node = read_map(reader, place);
    }
    reader->depth--;
    yaml_event_delete(event);
    return node;
}

static struct node *read_stream(struct reader *reader) {
    struct node *root = NULL;
    yaml_event_t event;
    while (next(reader, &event)) {
        yaml_event_type_t type = event.type;
        if (type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(&event);
            return root;
        }
        if (type == YAML_STREAM_START_EVENT || type == YAML_DOCUMENT_END_EVENT) {
            yaml_event_delete(&event);
        } else if (type == YAML_DOCUMENT_START_EVENT) {
            if (root)
                report_add(reader->report, place_of(event.start_mark), NULL,
                           "the file must hold one YAML document only");
            yaml_event_delete(&event);
        } else if (root) {
            read_node(reader, &event);
        } else {
            root = read_node(reader, &event);
        }
    }
    return root;
}

struct node *tree_read(struct arena *arena, struct slice text, struct report *report) {
    struct reader reader = {.arena = arena, .report = report};
    must(yaml_parser_initialize(&reader.parser));
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.at, text.len);
    struct node *root = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return root;
}

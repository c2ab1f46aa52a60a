#include "tree.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "names.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

// A file of 16 MiB can ask for far more than that: a node takes some hundred bytes, a variable as much as it
// has for each time that it is named.
#define NODES_MOST    1000000
#define EXPANDED_MOST (16u << 20)

struct reader {
    yaml_parser_t parser;
    struct arena *arena;
    struct report *report;
    struct slice text;
    struct place end; // of it
    unsigned depth;
    size_t nodes, expanded; // so many, and so many bytes of variables
    bool failed;            // libyaml cannot go on, or must not
};

// At the end of a text whose last line has no end libyaml stands one line further down.
static struct place place_of(const struct reader *reader, yaml_mark_t mark) {
    struct place place = {(unsigned)mark.line + 1, (unsigned)mark.column + 1};
    return place.line > reader->end.line ? reader->end : place;
}

bool node_is_null(const struct node *node) {
    return node->kind == NODE_SCALAR && !node->quoted &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

// The length of the line break at the front, as YAML knows them: LF, CR, CRLF, NEL, LS, PS; 0: there is none.
static size_t line_break(struct slice text) {
    if (*text.at == '\r' && slice_starts(text, SLICE("\r\n")))
        return 2;
    if (*text.at == '\n' || *text.at == '\r')
        return 1;
    if (slice_starts(text, SLICE("\xc2\x85")))
        return 2;
    return slice_starts(text, SLICE("\xe2\x80\xa8")) || slice_starts(text, SLICE("\xe2\x80\xa9")) ? 3 : 0;
}

// The place of a byte, lines and columns (in characters) counted as libyaml does.
static struct place place_at(struct slice text, size_t offset) {
    struct place place = {1, 1};
    for (size_t i = 0; i < offset && i < text.len;) {
        size_t end = line_break(slice_from(text, i));
        if (end)
            place = (struct place){place.line + 1, 1};
        else if (((unsigned char)text.at[i] & 0xc0) != 0x80)
            place.column++;
        i += end ? end : 1;
    }
    return place;
}

static bool tab_in_indentation(struct slice text, unsigned line) {
    while (--line && text.len)
        text = slice_from(text, slice_find(text, '\n') + 1);
    size_t blank = 0;
    while (blank < text.len && text.at[blank] == ' ')
        blank++;
    return blank < text.len && text.at[blank] == '\t';
}

static const char *syntax_hint(const struct reader *reader, struct place place) {
    const char *problem = reader->parser.problem ? reader->parser.problem : "";
    if (tab_in_indentation(reader->text, place.line))
        return "indent with spaces: YAML allows no tabs there";
    if (strcmp(problem, "mapping values are not allowed in this context") == 0)
        return "check the indentation; a value that holds \": \" needs quotes";
    if (strncmp(problem, "did not find expected", 21) == 0 ||
        strncmp(problem, "could not find expected", 23) == 0)
        return "check the indentation, brackets and quotes";
    return NULL;
}

static void parser_failed(struct reader *reader) {
    const yaml_parser_t *parser = &reader->parser;
    struct place place = place_of(reader, parser->problem_mark);
    char context[128] = "";
    reader->failed = true;
    if (parser->error == YAML_MEMORY_ERROR) {
        report_add(reader->report, (struct place){1, 1}, NULL, "not enough memory to read the file");
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        report_add(reader->report, place_at(reader->text, parser->problem_offset),
                   strstr(parser->problem, "UTF-8") ? "the file must be UTF-8 text" : NULL,
                   "not valid YAML: %s", parser->problem);
        return;
    }
    if (parser->context)
        snprintf(context, sizeof context, " %s", parser->context);
    if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        snprintf(context, sizeof context, " %s from line %zu", parser->context,
                 parser->context_mark.line + 1);
    report_add(reader->report, place, syntax_hint(reader, place), "not valid YAML: %s%s",
               parser->problem ? parser->problem : "it cannot be read", context);
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
    else if (value) {
        strbuf_string(out, value);
        report_expanded(reader->report, name, value);
    } else
        report_add(reader->report, place, "set it, or write ${NAME:-default}",
                   "the environment variable %.100s is not set", name);
    return close + 1;
}

// Counts what a value took. False after a diagnostic, when all of them take too much.
static bool affordable(struct reader *reader, size_t bytes, struct place place) {
    reader->expanded += bytes;
    if (reader->expanded <= EXPANDED_MOST)
        return true;
    report_add(reader->report, place, NULL, "the values of variables take more than 16 MiB in all");
    reader->failed = true;
    return false;
}

// NULL after a diagnostic.
static const char *expand(struct reader *reader, const char *text, struct place place) {
    if (!strstr(text, "${"))
        return text;
    size_t before = reader->report->count;
    struct strbuf out = {0};
    while (text && *text && out.len <= EXPANDED_MOST) {
        if (strncmp(text, "$${", 3) == 0) {
            strbuf_string(&out, "${");
            text += 3;
        } else if (strncmp(text, "${", 2) == 0) {
            text = expand_one(reader, text + 2, place, &out);
        } else {
            strbuf_char(&out, *text++);
        }
    }
    bool good = reader->report->count == before && affordable(reader, out.len, place);
    const char *result = good ? arena_string(reader->arena, strbuf_as_slice(&out)) : NULL;
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
    node->text = expand(reader, arena_string(reader->arena, slice_of(value)), place);
    if (!node->text || strlen(value) != len)
        node->kind = NODE_BROKEN;
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

static void find_duplicates(struct reader *reader, const struct pair *pairs, size_t count) {
    struct named *names = mem_alloc((count + 1) * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = (struct named){pairs[i].key, pairs[i].place, i};
    names_sort(names, count);
    for (size_t i = names_repeat(names, count, 1); i < count; i = names_repeat(names, count, i + 1))
        report_add(reader->report, names[i].place, NULL, "duplicate key `%.100s`, used already in line %u",
                   names[i].name, names[i - 1].place.line);
    mem_free(names);
}

// The key of a pair, or NULL after a diagnostic (`<<` brings its own: it needs an alias). Releases the event.
static const char *read_key(struct reader *reader, yaml_event_t *event) {
    struct place place = place_of(reader, event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        report_add(reader->report, place, NULL, "a key must be a plain word");
        read_node(reader, event);
        return NULL;
    }
    const char *text = (const char *)event->data.scalar.value;
    refuse_extras(reader, event->data.scalar.anchor, event->data.scalar.tag, place);
    const char *key =
        strlen(text) == event->data.scalar.length ? arena_string(reader->arena, slice_of(text)) : NULL;
    if (!key)
        report_add(reader->report, place, NULL, "a key must not contain a NUL character");
    else if (strcmp(key, "<<") == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        key = NULL;
    yaml_event_delete(event);
    return key;
}

static struct node *read_map(struct reader *reader, struct place place) {
    struct node *node = node_new(reader, NODE_MAP, place);
    struct growing pairs = {0};
    yaml_event_t event;
    while (next(reader, &event) && event.type != YAML_MAPPING_END_EVENT) {
        struct place key_place = place_of(reader, event.start_mark);
        const char *key = read_key(reader, &event);
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
    struct place place = place_of(reader, event->start_mark);
    struct node *node = NULL;
    if (++reader->depth > TREE_DEPTH) {
        report_add(reader->report, place, NULL, "nested more than %d levels deep", TREE_DEPTH);
        reader->failed = true;
    } else if (++reader->nodes > NODES_MOST) {
        report_add(reader->report, place, NULL, "more than %d values in one file", NODES_MOST);
        reader->failed = true;
    } else if (event->type == YAML_SCALAR_EVENT) {
        node = read_scalar(reader, event, place);
    } else if (event->type == YAML_ALIAS_EVENT) {
        report_add(reader->report, place, NULL, "aliases are not supported");
        node = node_new(reader, NODE_BROKEN, place);
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
                report_add(reader->report, place_of(reader, event.start_mark), NULL,
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
    struct reader reader = {.arena = arena, .report = report, .text = text, .end = place_at(text, text.len)};
    if (!yaml_parser_initialize(&reader.parser)) { // which only memory can be missing for
        report_add(report, (struct place){1, 1}, NULL, "not enough memory to read the file");
        return NULL;
    }
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text.at, text.len);
    struct node *root = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return reader.failed ? NULL : root;
}

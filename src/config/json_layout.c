#include "json_layout.h"
#include "base/mem.h"
#include <string.h>

#define LINE_MOST 110

struct layout {
    struct slice rest;
    struct strbuf *out;
};

static void skip(struct slice *text) {
    while (text->len && strchr(" \n,", text->at[0]))
        *text = slice_from(*text, 1);
}

// The length of the string at the front, its quotes counted.
static size_t string_length(struct slice text) {
    char quote = text.at[0];
    for (size_t i = 1; i < text.len; i++) {
        if (text.at[i] == quote)
            return i + 1;
        i += text.at[i] == '\\';
    }
    return text.len;
}

// The length of the value at the front, which may be a member of an object without its name.
static size_t value_length(struct slice text) {
    size_t depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '"' || c == '\'')
            i += string_length(slice_from(text, i)) - 1;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && --depth == 0)
            return i + 1;
    }
    return text.len;
}

static void put_string(struct layout *layout) {
    size_t len = string_length(layout->rest);
    strbuf_char(layout->out, '"');
    strbuf_append(layout->out, layout->rest.at + 1, len - 2);
    strbuf_char(layout->out, '"');
    layout->rest = slice_from(layout->rest, len);
}

static void new_line(struct layout *layout, size_t depth, bool flat, bool first, bool last) {
    if (!flat)
        strbuf_format(layout->out, "%s\n%*s", first || last ? "" : ",", (int)depth * 2, "");
    else if (!first && !last)
        strbuf_string(layout->out, ", ");
}

static void put_value(struct layout *layout, size_t depth, bool flat);

static void put_container(struct layout *layout, size_t depth, bool flat) {
    bool object = layout->rest.at[0] == '{', first = true;
    size_t line = layout->out->len;
    while (line && layout->out->at[line - 1] != '\n')
        line--;
    flat = flat || layout->out->len - line + value_length(layout->rest) <= LINE_MOST;
    strbuf_char(layout->out, layout->rest.at[0]);
    layout->rest = slice_from(layout->rest, 1);
    for (skip(&layout->rest); layout->rest.at[0] != '}' && layout->rest.at[0] != ']'; skip(&layout->rest)) {
        new_line(layout, depth + 1, flat, first, false);
        first = false;
        if (object) {
            put_string(layout);
            must(layout->rest.len && layout->rest.at[0] == ':');
            strbuf_string(layout->out, ": ");
            layout->rest = slice_from(layout->rest, 1);
            skip(&layout->rest);
        }
        put_value(layout, depth + 1, flat);
    }
    if (!first)
        new_line(layout, depth, flat, false, true);
    strbuf_char(layout->out, layout->rest.at[0]);
    layout->rest = slice_from(layout->rest, 1);
}

static void put_value(struct layout *layout, size_t depth, bool flat) {
    must(layout->rest.len);
    char c = layout->rest.at[0];
    if (c == '{' || c == '[') {
        put_container(layout, depth, flat);
    } else if (c == '"' || c == '\'') {
        put_string(layout);
    } else {
        for (; layout->rest.len && !strchr(" \n,]}", layout->rest.at[0]);
             layout->rest = slice_from(layout->rest, 1))
            strbuf_char(layout->out, layout->rest.at[0]);
    }
}

void json_layout(struct slice text, struct strbuf *out) {
    struct layout layout = {text, out};
    put_value(&layout, 0, false);
    strbuf_char(out, '\n');
}

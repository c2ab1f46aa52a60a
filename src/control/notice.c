#include "notice.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <jansson.h>

// Slack reads &, < and > as its own; everything else stands for itself.
static void append_escaped(struct strbuf *out, const char *text) {
    for (; text && *text; text++) {
        if (*text == '&')
            strbuf_literal(out, "&amp;");
        else if (*text == '<')
            strbuf_literal(out, "&lt;");
        else if (*text == '>')
            strbuf_literal(out, "&gt;");
        else
            strbuf_char(out, *text);
    }
}

static const char *text_of(const json_t *record, const char *name) {
    return json_string_value(json_object_get(record, name));
}

// ", canary 5 % → 25 %" for each variant whose weight is another one afterwards.
static void append_weights(struct strbuf *out, const json_t *record) {
    const json_t *before = json_object_get(json_object_get(record, "from"), "weights");
    json_t *after = json_object_get(json_object_get(record, "to"), "weights");
    const char *name;
    json_t *weight;
    json_object_foreach(after, name, weight) {
        double from = json_number_value(json_object_get(before, name)), to = json_number_value(weight);
        if (from == to)
            continue;
        strbuf_literal(out, ", ");
        append_escaped(out, name);
        strbuf_format(out, " %.4g %% → %.4g %%", from, to);
    }
}

static void append_line(struct strbuf *out, const json_t *record) {
    const char *version = text_of(record, "version"), *because = text_of(record, "because");
    strbuf_char(out, '*');
    append_escaped(out, text_of(record, "route"));
    strbuf_literal(out, "* ");
    append_escaped(out, text_of(record, "action"));
    if (version) {
        strbuf_literal(out, " of ");
        append_escaped(out, version);
    }
    strbuf_literal(out, " by ");
    append_escaped(out, text_of(record, "who"));
    append_weights(out, record);
    if (because && *because) {
        strbuf_literal(out, ": ");
        append_escaped(out, because);
    }
}

void notice_write(enum notify_format format, struct slice record, struct strbuf *out) {
    if (format == NOTIFY_JSON) {
        strbuf_slice(out, record);
        return;
    }
    struct strbuf line = {0};
    json_t *root = json_loadb(record.at, record.len, 0, NULL);
    must(json_is_object(root)); // we wrote it ourselves
    append_line(&line, root);
    json_decref(root);
    strbuf_literal(out, "{\"text\":");
    strbuf_json(out, strbuf_as_slice(&line));
    strbuf_char(out, '}');
    strbuf_free(&line);
}

// docs/configuration.md, from the schema.
#include "reference_walk.h"
#include <ctype.h>

// How a heading is linked to: letters, digits, `_` and `-` remain, in lower case.
static void write_anchor(struct strbuf *out, const char *path) {
    for (; *path; path++)
        if (isalnum((unsigned char)*path) || *path == '_' || *path == '-')
            strbuf_char(out, (char)tolower((unsigned char)*path));
}

// A bar would end the table's cell.
static void write_cell(struct strbuf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '|')
            strbuf_char(out, '\\');
        strbuf_char(out, *text);
    }
}

static void begin(struct page *page, const struct section *section, const char *path, const char *help) {
    struct strbuf *out = page->out;
    if (*path)
        strbuf_format(out, "\n## %s\n\n%s", path, help);
    else
        strbuf_string(out, "\n## The file");
    strbuf_format(out, "%s%s\n\n", section->help ? " " : "", section->help ? section->help : "");
    strbuf_string(out, "| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
}

static void row(struct page *page, const struct key *key, const char *path, bool shared) {
    struct strbuf *out = page->out;
    strbuf_format(out, path ? "| [`%s`](#" : "| `%s` | ", key->name);
    if (path) {
        write_anchor(out, path);
        strbuf_string(out, ") | ");
    }
    reference_type(out, key);
    strbuf_string(out, " | ");
    reference_default(out, key);
    strbuf_string(out, " | ");
    write_cell(out, key->help);
    if (shared)
        strbuf_format(out, " The keys of `%s`.", path);
    strbuf_string(out, " |\n");
}

static void end(struct page *page) {
    (void)page;
}

void config_reference(struct strbuf *out) {
    struct page page = {out, begin, row, end};
    strbuf_string(
        out,
        "# Configuration\n\n"
        "One YAML file. `sluice check FILE` prints every mistake in it as `FILE:LINE:COLUMN: what is wrong`; "
        "a reload that finds one changes\nnothing. `config/reference.yaml` shows every key in use. This page "
        "is written from the program's own table (`sluice reference`).\n\n");
    for (const char *const *note = reference_notes; *note; note++)
        strbuf_format(out, "* %s\n", *note);
    strbuf_string(
        out, "* `–` as a default: nothing, and the meaning says what follows. \"as below\": a section whose "
             "own defaults apply when it is absent.\n");
    reference_walk(&page);
}

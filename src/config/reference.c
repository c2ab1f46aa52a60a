// docs/configuration.md, from the schema.
#include "base/strbuf.h"
#include "schema.h"
#include <stdio.h>

static const char *const type_names[] = {
    [TYPE_STRING] = "string",
    [TYPE_NAME] = "name",
    [TYPE_PATH] = "path",
    [TYPE_BOOL] = "boolean",
    [TYPE_INTEGER] = "integer",
    [TYPE_NUMBER] = "number",
    [TYPE_DURATION] = "duration",
    [TYPE_SIZE] = "size",
    [TYPE_PERCENT] = "percent",
    [TYPE_ENUM] = "",
    [TYPE_STRINGS] = "list of strings",
    [TYPE_INTEGERS] = "list of integers",
    [TYPE_HEADERS] = "mapping of headers",
    [TYPE_POINTERS] = "mapping of JSON pointers",
    [TYPE_STRUCT] = "mapping",
    [TYPE_OPTIONAL] = "mapping",
    [TYPE_LIST] = "list of mappings",
    [TYPE_NAMED] = "mapping by name",
    [TYPE_CUSTOM] = "",
};

static void write_type(struct strbuf *out, const struct key *key) {
    if (key->type == TYPE_ENUM) {
        for (size_t i = 0; key->choices[i]; i++)
            strbuf_format(out, "%s`%s`", i ? ", " : "", key->choices[i]);
        return;
    }
    strbuf_string(out, key->type == TYPE_CUSTOM ? key->type_text : type_names[key->type]);
    if (key->type == TYPE_INTEGER && key->most < INT64_MAX && (key->least || key->most))
        strbuf_format(out, ", %lld to %lld", (long long)key->least, (long long)key->most);
    else if (key->type_text && key->type != TYPE_CUSTOM && (key->least || key->most) && key->most < INT64_MAX)
        strbuf_format(out, ", %s", key->type_text);
}

static void write_rows(struct strbuf *out, const struct section *section) {
    strbuf_string(out, "| key | type | default | meaning |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];
        strbuf_format(out, "| `%s` | ", key->name);
        write_type(out, key);
        if (key->flags & KEY_REQUIRED)
            strbuf_string(out, " | required");
        else if (key->flags & KEY_INHERIT)
            strbuf_string(out, " | inherited");
        else if (key->standard)
            strbuf_format(out, " | `%s`", key->standard);
        else
            strbuf_string(out, " | none");
        strbuf_format(out, " | %s |\n", key->help);
    }
}

static void write_section(struct strbuf *out, const struct section *section, const char *path) {
    strbuf_format(out, "\n## %s\n\n", *path ? path : "The file");
    if (section->help)
        strbuf_format(out, "%s\n\n", section->help);
    write_rows(out, section);
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];
        char below[256];
        if (!key->child)
            continue;
        snprintf(below, sizeof below, "%s%s%s%s", path, *path ? "." : "", key->name,
                 key->type == TYPE_LIST    ? "[]"
                 : key->type == TYPE_NAMED ? ".NAME"
                                           : "");
        write_section(out, key->child, below);
    }
}

void config_reference(struct strbuf *out) {
    strbuf_string(out, "# Configuration\n\n"
                       "One YAML file; `sluice check FILE` tells every mistake with its line and column. "
                       "Written from the program's own\n"
                       "table by `sluice reference`.\n\n"
                       "Durations: `250ms 5s 10m 1h`. Sizes: `4096 16KiB 10MiB`. Percentages: `5` or `0.25`, "
                       "at most two decimals.\n"
                       "`${NAME}` and `${NAME:-default}` in values come from the environment; `$${` is a "
                       "literal `${`. Relative paths\n"
                       "are relative to the file. Unknown and repeated keys are errors; anchors, aliases and "
                       "tags are not supported.\n");
    write_section(out, &schema_root, "");
}

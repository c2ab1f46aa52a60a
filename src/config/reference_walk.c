#include "reference_walk.h"
#include "base/mem.h"

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

// The sections that were written already, each with its heading: two keys may share one (`timeouts`).
struct written {
    const struct section *sections[64];
    const char *paths[64];
    size_t count;
};

void reference_type(struct strbuf *out, const struct key *key) {
    bool range = key->least || key->most;
    if (key->type == TYPE_ENUM) {
        for (size_t i = 0; key->choices[i]; i++)
            strbuf_format(out, "%s`%s`", i ? ", " : "", key->choices[i]);
    } else if (key->type == TYPE_CUSTOM) {
        strbuf_string(out, key->type_text);
    } else {
        strbuf_string(out, type_names[key->type]);
        if (range && key->type_text)
            strbuf_format(out, ", %s", key->type_text);
        else if (range && key->most < INT64_MAX)
            strbuf_format(out, ", %lld to %lld", (long long)key->least, (long long)key->most);
    }
    if (key->flags & KEY_OFF)
        strbuf_string(out, " or `off`");
}

void reference_default(struct strbuf *out, const struct key *key) {
    if (key->flags & KEY_REQUIRED)
        strbuf_string(out, "required");
    else if (key->flags & KEY_INHERIT)
        strbuf_string(out, "inherited");
    else if (key->type == TYPE_STRUCT)
        strbuf_string(out, "as below");
    else if (key->standard)
        strbuf_format(out, "`%s`", key->standard);
    else
        strbuf_string(out, "–");
}

static const char *path_below(struct arena *arena, const char *path, const struct key *key) {
    const char *kind = key->type == TYPE_LIST ? "[]" : key->type == TYPE_NAMED ? ".NAME" : "";
    return arena_format(arena, "%s%s%s%s", path, *path ? "." : "", key->name, kind);
}

static const char *where_written(const struct written *written, const struct section *section) {
    for (size_t i = 0; i < written->count; i++)
        if (written->sections[i] == section)
            return written->paths[i];
    return NULL;
}

// Where the section of key i is described, when that is under another key.
static const char *elsewhere(struct arena *arena, const struct section *section, size_t i, const char *path,
                             const struct written *written) {
    for (size_t k = 0; k < i; k++)
        if (section->keys[k].child == section->keys[i].child)
            return path_below(arena, path, &section->keys[k]);
    return where_written(written, section->keys[i].child);
}

static void walk_section(struct page *page, struct arena *arena, const struct section *section,
                         const char *path, const char *help, struct written *written) {
    must(written->count < sizeof written->paths / sizeof *written->paths);
    written->sections[written->count] = section;
    written->paths[written->count++] = path;
    page->begin(page, section, path, help);
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];
        const char *there = key->child ? elsewhere(arena, section, i, path, written) : NULL;
        const char *own = key->child ? path_below(arena, path, key) : NULL;
        page->row(page, key, there ? there : own, there != NULL);
    }
    page->end(page);
    for (size_t i = 0; i < section->count; i++) {
        const struct key *key = &section->keys[i];
        if (key->child && !where_written(written, key->child))
            walk_section(page, arena, key->child, path_below(arena, path, key), key->help, written);
    }
}

void reference_walk(struct page *page) {
    struct arena arena;
    struct written written = {.count = 0};
    arena_init(&arena, 4096);
    walk_section(page, &arena, &schema_root, "", "", &written);
    arena_free(&arena);
}

const char *const reference_notes[] = {
    "Durations: `250ms 5s 1.5s 10m 1h 2d`. Sizes: `4096 16KiB 10MiB 1GiB`. Percentages: `5` or `0.25`, "
    "at most two decimals.",
    "`${NAME}` and `${NAME:-default}` in values come from the environment; `$${` is a literal `${`. "
    "Inside `[…]` and `{…}`, YAML wants\n  such values in quotes.",
    "Relative paths are relative to the folder of the file.",
    "Unknown and repeated keys are errors. Anchors, aliases, tags and several documents in a file are "
    "not supported.",
    "JSON values (`match.json`, `expect.json`, `request.json`): `3`, `true` and `null` are what they "
    "look like; in quotes, and everything else,\n  they are strings.",
    NULL};

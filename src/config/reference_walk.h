// reference_walk: the schema from the top, each section once, for pages that people read. Two keys may share
// a section
// (`timeouts`): it stands where it is met first.
#pragma once
#include "base/strbuf.h"
#include "schema.h"

struct page {
    struct strbuf *out;
    // `path` is "" for the whole file, "pools.NAME" or "routes[].match" for others.
    void (*begin)(struct page *page, const struct section *section, const char *path, const char *help);
    // `path` is where the keys of the key's section stand, NULL when it has none; `shared` when under another
    // key.
    void (*row)(struct page *page, const struct key *key, const char *path, bool shared);
    void (*end)(struct page *page);
};

void reference_walk(struct page *page);

// "integer, 1 to 256", "list of strings or `off`"; "required", "`5s`", "–".
void reference_type(struct strbuf *out, const struct key *key);
void reference_default(struct strbuf *out, const struct key *key);

extern const char *const reference_notes[]; // what holds for all of it, as items of a list; ends with NULL

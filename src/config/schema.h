// schema: the one table of what a file may say: every key with its type, default and help. The reader
// (settle.c) fills the structs through it; docs/configuration.md, config/sluice.schema.json and
// sluice.yaml(5) are written from it.
#pragma once
#include "forms.h"
#include "tree.h"

enum value_type {
    TYPE_STRING,
    TYPE_NAME, // a name of ours: letters, digits, _ . -
    TYPE_PATH, // made absolute against the file's folder
    TYPE_BOOL,
    TYPE_INTEGER,  // least..most
    TYPE_NUMBER,   // double
    TYPE_DURATION, // ms
    TYPE_SIZE,     // bytes
    TYPE_PERCENT,  // basis points
    TYPE_ENUM,     // int; choices
    TYPE_STRINGS,  // struct string_list
    TYPE_INTEGERS, // int64_t array and count
    TYPE_HEADERS,  // struct header_list
    TYPE_POINTERS, // struct pointer_list
    TYPE_STRUCT,   // embedded; its defaults apply when it is absent
    TYPE_OPTIONAL, // pointer to a struct, NULL when absent
    TYPE_LIST,     // array of structs and count
    TYPE_NAMED,    // mapping NAME: struct -> array of structs and count; the name is the field at
                   // section->name_offset
    TYPE_CUSTOM,   // key->read
};

enum key_flags {
    KEY_REQUIRED = 1,
    KEY_OFF = 2,     // `off` is allowed: DURATION_OFF, or NULL for a string
    KEY_INHERIT = 4, // absent: TIMEOUT_INHERIT
    KEY_UNSET = 8,   // absent: -1
    KEY_NESTED = 16, // of TYPE_POINTERS: values may be lists and mappings
    KEY_LISTED = 32, // of TYPE_CUSTOM: a list, each of `form`
};

struct settle; // settle.c: what a read function gets
struct key {
    const char *name;
    enum value_type type;
    size_t offset, count_offset;
    const struct section *child;
    const char *standard; // the default as it would be written; NULL: none
    const char *help;
    int64_t least, most;        // both 0: any
    const char *const *choices; // NULL-terminated, in the order of the enum
    unsigned flags;
    // TYPE_CUSTOM: reads the node into `field`; `type_text` names the type in the reference.
    void (*read)(struct settle *settle, const struct node *node, void *field);
    const char *type_text;
    // For the JSON Schema alone: what a text (each of a list, or each name) looks like, and what the type
    // does not tell, as members of the key's schema with ' for ".
    const struct form *form;
    const char *rules;
};

struct section {
    const char *what; // "a listener", for messages
    const char *help; // one sentence, for the reference
    size_t size;
    size_t place_offset, name_offset; // plus 1; 0: there is no such field
    const struct key *keys;
    size_t count;
    // A short form: what a scalar in place of the mapping means; NULL: not allowed.
    void (*read_scalar)(struct settle *settle, const struct node *node, void *object);
    const struct form *short_form; // what it looks like
    const char *rules;             // what its keys must say together (check*.c), as a key's rules
};
extern const struct section schema_root;

// ---- settle.c, for custom readers

struct settle {
    struct arena *arena;
    struct report *report;
    const char *folder; // of the file
    struct path_config *paths;
    size_t path_count, path_cap;
};
// Fills `object` from the mapping (NULL: defaults only).
void settle_section(struct settle *settle, const struct section *section, const struct node *node,
                    void *object);
// False, with a diagnostic, when the node is of another kind.
bool settle_kind(struct settle *settle, const struct node *node, enum node_kind kind, const char *what);
// The node's path, absolute; its place is remembered.
const char *settle_path(struct settle *settle, const struct node *node);
// Says that `what` ("`weight`") must be what is `wanted` ("a number"). Nothing more is said of a broken node.
void settle_wrong(struct settle *settle, const struct node *node, const char *what, const char *wanted);
const char *settle_label(struct settle *settle, const struct key *key); // "`weight`"
// plain.c: every type from TYPE_STRING to TYPE_POINTERS.
void settle_plain(struct settle *settle, const struct key *key, const struct node *node, void *object);
#define NAME_WORDS "a name (letters, digits, `_`, `.`, `-`; at most 64)"

// ---- readers of special forms (special.c)

void read_workers(struct settle *settle, const struct node *node, void *field);
void read_memory(struct settle *settle, const struct node *node, void *field); // memory.c
void read_sticky_by(struct settle *settle, const struct node *node, void *field);
void read_retry_on(struct settle *settle, const struct node *node, void *field);
void read_step(struct settle *settle, const struct node *node, void *field);
void read_dry_run(struct settle *settle, const struct node *node, void *field);
void read_rollback(struct settle *settle, const struct node *node, void *field);
void read_mode(struct settle *settle, const struct node *node, void *field);
void read_networks(struct settle *settle, const struct node *node, void *field);
void read_limits(struct settle *settle, const struct node *node, void *field);
void read_task_learn(struct settle *settle, const struct node *node, void *field); // affinity.c
void read_task_use(struct settle *settle, const struct node *node, void *field);   // affinity.c
void read_endpoint_url(struct settle *settle, const struct node *node, void *object);
extern const struct section schema_admin;                              // schema_admin.c
extern const struct section schema_affinity;                           // schema_affinity.c
extern const struct section schema_rollout;                            // schema_rollout.c
extern const struct section schema_resolver;                           // schema_resolver.c
extern const struct section schema_tracing;                            // schema_tracing.c
extern const struct section schema_fleet;                              // schema_fleet.c
extern const struct section schema_limits;                             // schema_limits.c
extern const struct section schema_timeouts, schema_own_timeouts;      // schema_timeouts.c
extern const struct section schema_probe_request, schema_probe_expect; // schema_probe.c

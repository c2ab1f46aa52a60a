// tree: YAML text as nodes with their places. The one place that wraps libyaml. Nodes and texts live in the
// arena. Refused, with a located diagnostic: several documents, anchors, aliases and tags, keys that are no
// plain words, duplicate keys, more than TREE_DEPTH levels. ${NAME} and ${NAME:-default} in scalar values are
// expanded from the environment.
#pragma once
#include "report.h"

#define TREE_DEPTH 32

enum node_kind {
    NODE_SCALAR,
    NODE_LIST,
    NODE_MAP,
    NODE_BROKEN, // reported already: whoever meets it passes over it in silence
};

struct pair;
struct node {
    enum node_kind kind;
    struct place place;
    const char *text;    // NODE_SCALAR, expanded
    bool quoted;         // NODE_SCALAR: written in quotes or as a block, so always a string
    struct node **items; // NODE_LIST
    struct pair *pairs;  // NODE_MAP, in the file's order
    size_t count;
};
struct pair {
    const char *key;
    struct place place;
    struct node *value;
};

// The root node, or NULL for an empty file and for one that is no YAML to its end; mistakes are in the report
// in all cases.
struct node *tree_read(struct arena *arena, struct slice text, struct report *report);
bool node_is_null(const struct node *node); // empty, ~ or null, unquoted

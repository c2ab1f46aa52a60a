#include "route_index.h"

#include "base/hash.h"
#include "base/mem.h"
#include "http/uri.h"

#define HOST_BYTES 255 // longer names match no host

enum host_kind { HOST_ANY, HOST_EXACT, HOST_SUFFIX };

struct group {
    enum host_kind kind;
    struct slice host; // lower case; of a wildcard what follows the *
    uint64_t hash;
    struct route_list any_path;
    size_t *lengths; // of prefixes, ascending
    size_t length_count;
    bool has_exact;
    struct group *next; // chain
};
struct path_node {
    const struct group *group;
    bool exact;
    struct slice path;
    uint64_t hash;
    struct route_list list;
    struct path_node *next; // chain
};
struct route_index {
    struct arena arena;
    struct group any;
    bool has_suffix;
    size_t mask; // of both tables
    struct group **groups;
    struct path_node **paths; // of all groups
};

static void list_add(struct route_list *list, size_t route, struct arena *arena) {
    struct route_entry *entry = arena_alloc(arena, sizeof *entry);
    *entry = (struct route_entry){.route = route};
    if (list->last)
        list->last->next = entry;
    else
        list->first = entry;
    list->last = entry;
}

static uint64_t path_hash(const struct group *group, bool exact, struct slice path) {
    return hash_bytes(group->hash + exact, path);
}

static struct path_node *find_path(const struct route_index *index, const struct group *group, bool exact,
                                   struct slice path) {
    uint64_t hash = path_hash(group, exact, path);
    struct path_node *node = index->paths[hash & index->mask];
    while (node && (node->hash != hash || node->group != group || node->exact != exact ||
                    !slice_equal(node->path, path)))
        node = node->next;
    return node;
}

static struct group *find_group(const struct route_index *index, enum host_kind kind, struct slice host) {
    uint64_t hash = hash_bytes((uint64_t)kind, host);
    struct group *group = index->groups[hash & index->mask];
    while (group && (group->hash != hash || group->kind != kind || !slice_equal(group->host, host)))
        group = group->next;
    return group;
}

static struct group *make_group(struct route_index *index, enum host_kind kind, struct slice host) {
    struct group *group = find_group(index, kind, host);
    if (group)
        return group;
    group = arena_zero(&index->arena, 1, sizeof *group);
    *group = (struct group){.kind = kind, .host = host, .hash = hash_bytes((uint64_t)kind, host)};
    struct group **chain = &index->groups[group->hash & index->mask];
    group->next = *chain;
    *chain = group;
    index->has_suffix |= kind == HOST_SUFFIX;
    return group;
}

static void note_length(struct group *group, size_t length, struct arena *arena) {
    size_t at = 0;
    while (at < group->length_count && group->lengths[at] < length)
        at++;
    if (at < group->length_count && group->lengths[at] == length)
        return;
    size_t count = group->length_count;
    if ((count & (count - 1)) == 0) { // full at every power of two
        size_t *lengths = arena_alloc(arena, (count ? count * 2 : 1) * sizeof *lengths);
        if (count)
            memcpy(lengths, group->lengths, count * sizeof *lengths);
        group->lengths = lengths;
    }
    memmove(&group->lengths[at + 1], &group->lengths[at], (count - at) * sizeof *group->lengths);
    group->lengths[at] = length;
    group->length_count++;
}

static void add_path(struct route_index *index, struct group *group, bool exact, struct slice path,
                     size_t route) {
    struct path_node *node = find_path(index, group, exact, path);
    if (!node) {
        uint64_t hash = path_hash(group, exact, path);
        struct path_node **chain = &index->paths[hash & index->mask];
        node = arena_zero(&index->arena, 1, sizeof *node);
        *node = (struct path_node){group, exact, path, hash, .next = *chain};
        *chain = node;
    }
    list_add(&node->list, route, &index->arena);
    if (exact)
        group->has_exact = true;
    else
        note_length(group, path.len, &index->arena);
}

static struct slice lower(struct slice text, char *to) {
    for (size_t i = 0; i < text.len; i++)
        to[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (char)(text.at[i] | 0x20) : text.at[i];
    return slice_make(to, text.len);
}

static struct slice without_last_dot(struct slice host) { // the absolute form of the same name
    if (host.len > 1 && host.at[host.len - 1] == '.')
        host.len--;
    return host;
}

static struct group *group_of(struct route_index *index, const char *host) {
    if (!host)
        return &index->any;
    struct slice text = slice_of(host), bare;
    bool wildcard = slice_starts(text, SLICE("*."));
    if (wildcard)
        text = slice_from(text, 1);
    if (!wildcard && uri_host(text, &bare))
        text = bare;
    text = without_last_dot(text);
    text = lower(text, arena_alloc(&index->arena, text.len));
    return make_group(index, wildcard ? HOST_SUFFIX : HOST_EXACT, text);
}

// Requests are matched by their normal path, so the configured one is brought to the same form. A prefix that
// ends in a dot segment stays: "/." means hidden files, and its normal form would be every path.
static struct slice normal(const char *path, bool prefix, struct arena *arena) {
    struct slice text = slice_of(path);
    if (prefix && text.len > 0 && text.at[text.len - 1] == '.')
        return text;
    return uri_normal_path(text, arena);
}

static void add_route(struct route_index *index, const struct match_config *match, size_t route) {
    struct group *group = group_of(index, match->host);
    if (match->path)
        add_path(index, group, true, normal(match->path, false, &index->arena), route);
    else if (match->path_prefix && *match->path_prefix)
        add_path(index, group, false, normal(match->path_prefix, true, &index->arena), route);
    else
        list_add(&group->any_path, route, &index->arena);
}

struct route_index *route_index_new(const struct config *config) {
    struct route_index *index = mem_zero(1, sizeof *index);
    arena_init(&index->arena, 16 * 1024);
    size_t buckets = 16;
    while (buckets < config->route_count * 2)
        buckets *= 2;
    index->mask = buckets - 1;
    index->groups = arena_zero(&index->arena, buckets, sizeof *index->groups);
    index->paths = arena_zero(&index->arena, buckets, sizeof *index->paths);
    index->any = (struct group){.kind = HOST_ANY, .hash = hash_bytes(HOST_ANY, SLICE(""))};
    for (size_t i = 0; i < config->route_count; i++)
        add_route(index, &config->routes[i].match, i);
    return index;
}

void route_index_free(struct route_index *index) {
    if (!index)
        return;
    arena_free(&index->arena);
    mem_free(index);
}

struct search {
    const struct route_index *index;
    struct slice path;
    void (*visit)(const struct route_list *list, void *context);
    void *context;
};

static void search_path(const struct search *search, const struct group *group, bool exact, size_t length) {
    struct slice key = slice_make(search->path.at, length);
    const struct path_node *node = find_path(search->index, group, exact, key);
    if (node)
        search->visit(&node->list, search->context);
}

static void search_group(const struct search *search, const struct group *group) {
    if (!group)
        return;
    if (group->any_path.first)
        search->visit(&group->any_path, search->context);
    if (group->has_exact)
        search_path(search, group, true, search->path.len);
    for (size_t i = 0; i < group->length_count && group->lengths[i] <= search->path.len; i++)
        search_path(search, group, false, group->lengths[i]);
}

void route_index_find(const struct route_index *index, struct slice host, struct slice path,
                      void (*visit)(const struct route_list *list, void *context), void *context) {
    const struct search search = {index, path, visit, context};
    search_group(&search, &index->any);
    host = without_last_dot(host);
    if (host.len == 0 || host.len > HOST_BYTES)
        return;
    char name[HOST_BYTES];
    host = lower(host, name);
    search_group(&search, find_group(index, HOST_EXACT, host));
    for (size_t i = 1; index->has_suffix && i < host.len; i++)
        if (host.at[i] == '.')
            search_group(&search, find_group(index, HOST_SUFFIX, slice_from(host, i)));
}

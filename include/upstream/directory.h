// directory: every pool and endpoint that runs, by name. Owner and only caller: the control thread. A reload
// adopts what stays, so that health, drains, ejections, in-flight counts and idle connections survive.
#pragma once
#include "config/config.h"
#include "upstream/pool.h"

struct directory;
struct directory *directory_new(unsigned lane_count);
void directory_free(struct directory *directory);

// Where the addresses of endpoints with a name come from; numeric ones and unix sockets are their own.
struct address_source {
    // A list with a reference, or NULL and *error.
    struct address_list *(*find)(const struct endpoint_config *endpoint, void *context, struct error *error);
    void *context;
};
// Prepare: the pools of `config` in its order, existing ones adopted, new endpoints made. Nothing live
// changes. `contexts`: by pool, how its https endpoints are spoken to (NULL: there are none). NULL and *error
// when `source` has no address (NULL: there are no names).
struct directory_change;
struct directory_change *directory_prepare(struct directory *directory, const struct config *config,
                                           struct tls_context *const *contexts,
                                           const struct address_source *source, struct error *error);
void directory_abandon(struct directory_change *change);
// Commit: cannot fail. Endpoints that are gone are marked retired.
void directory_commit(struct directory *directory, struct directory_change *change);

// The running pools, in the committed configuration's order.
size_t directory_count(const struct directory *directory);
struct pool *directory_pool(const struct directory *directory, size_t index);
struct pool *directory_find(const struct directory *directory, const char *name); // NULL when absent

// One pool of a prepared change, for building the plan before the commit: the running object and the
// endpoints it will have.
struct prepared_pool {
    struct pool *pool;
    struct endpoint **endpoints;
    size_t endpoint_count;
};
const struct prepared_pool *directory_prepared(const struct directory_change *change, size_t index);

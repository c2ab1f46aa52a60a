#include "upstream/directory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct directory {
    unsigned lane_count;
    struct pool **pools; // with references, in the configuration's order
    size_t count;
};
struct directory_change {
    struct prepared_pool *pools; // with references to pools and endpoints
    size_t count;
};

struct directory *directory_new(unsigned lane_count) {
    struct directory *directory = mem_zero(1, sizeof *directory);
    directory->lane_count = lane_count;
    return directory;
}

void directory_free(struct directory *directory) {
    for (size_t i = 0; i < directory->count; i++)
        pool_unref(directory->pools[i]);
    mem_free(directory->pools);
    mem_free(directory);
}

struct pool *directory_find(const struct directory *directory, const char *name) {
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->pools[i]->name, name) == 0)
            return directory->pools[i];
    return NULL;
}

size_t directory_count(const struct directory *directory) {
    return directory->count;
}

struct pool *directory_pool(const struct directory *directory, size_t index) {
    return directory->pools[index];
}

const struct prepared_pool *directory_prepared(const struct directory_change *change, size_t index) {
    return &change->pools[index];
}

static struct pool *pool_new(const char *name, unsigned lane_count) {
    struct pool *pool = mem_zero_aligned(64, sizeof *pool);
    refcount_init(&pool->refs);
    pool->name = mem_copy_string(name);
    pool->lane_count = lane_count;
    pool->lanes = mem_zero_aligned(64, lane_count * sizeof *pool->lanes);
    for (unsigned i = 0; i < lane_count; i++)
        list_init(&pool->lanes[i].waiters);
    return pool;
}

static int by_name(const void *left, const void *right) {
    return strcmp((*(struct pool *const *)left)->name, (*(struct pool *const *)right)->name);
}
static int name_against(const void *key, const void *element) {
    return strcmp(key, (*(struct pool *const *)element)->name);
}
static int by_url(const void *left, const void *right) {
    return strcmp((*(struct endpoint *const *)left)->url, (*(struct endpoint *const *)right)->url);
}
static int url_against(const void *key, const void *element) {
    return strcmp(key, (*(struct endpoint *const *)element)->url);
}

// A sorted copy for look-ups: a reload of thousands must not search linearly.
static void *sorted(const void *items, size_t count, int (*compare)(const void *, const void *)) {
    void **copy = mem_alloc((count + 1) * sizeof *copy);
    if (count)
        memcpy(copy, items, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, compare);
    return copy;
}

// What the endpoints of one pool are made with.
struct making {
    const struct pool_config *config;
    const struct address_source *source;
    struct tls_context *tls; // NULL: no endpoint needs it
    unsigned lane_count;
};

// The name that an endpoint under TLS is asked for and has to prove.
static const char *secure_name(const struct pool_config *pool, const struct endpoint_config *endpoint) {
    return pool->tls && pool->tls->server_name ? pool->tls->server_name : endpoint->host;
}

static struct endpoint *endpoint_make(const struct making *making, const struct endpoint_config *config,
                                      struct address_list *addresses) {
    char authority[300];
    const char *form = strchr(config->host, ':') ? "[%s]:%u" : "%s:%u";
    if (config->port == (config->tls ? 443 : 80))
        form = strchr(config->host, ':') ? "[%s]" : "%s";
    snprintf(authority, sizeof authority, form, config->host, config->port);
    struct endpoint *endpoint = endpoint_new(making->config->name, config->url, addresses,
                                             config->unix_path ? "localhost" : authority,
                                             (unsigned)config->weight, making->lane_count);
    if (config->tls)
        endpoint_secure(endpoint, tls_context_ref(making->tls), secure_name(making->config, config));
    struct address numeric;
    if (!config->unix_path && !address_numeric(&numeric, config->host, 0))
        endpoint->host = mem_copy_string(config->host);
    return endpoint;
}

// What a person or a check has found out stays true when only the weight changed.
static void endpoint_inherit(struct endpoint *endpoint, const struct endpoint *old) {
    atomic_store(&endpoint->states, atomic_load(&old->states));
    endpoint->checks_failed = old->checks_failed;
    endpoint->checks_passed = old->checks_passed;
    endpoint->ejections = old->ejections;
    endpoint->resolve_failures = old->resolve_failures;
    endpoint->ejected_until_ns = old->ejected_until_ns;
    endpoint->last_check_ms = old->last_check_ms;
    memcpy(endpoint->last_check, old->last_check, sizeof endpoint->last_check);
}

static struct address_list *addresses_of(const struct endpoint_config *config,
                                         const struct address_source *source, struct error *error) {
    struct address address;
    if (config->unix_path ? address_parse(&address, config->url, error)
                          : address_numeric(&address, config->host, config->port))
        return address_list_new(&address, 1);
    if (!config->unix_path && source)
        return source->find(config, source->context, error);
    if (!config->unix_path)
        error_set(error, "cannot resolve \"%s\": names are not asked for here", config->host);
    return NULL;
}

// Whether a running endpoint is what the configuration wants. Another certificate or authority makes another
// endpoint: connections that were verified otherwise are not used any more.
static bool unchanged(const struct endpoint *endpoint, const struct endpoint_config *wanted,
                      const struct making *making) {
    return endpoint->weight == (unsigned)wanted->weight &&
           (!wanted->tls || (tls_context_same(endpoint->tls, making->tls) &&
                             strcmp(endpoint->server_name, secure_name(making->config, wanted)) == 0));
}

// With a reference; NULL and *error when it has no address. `found`: the running one of this URL, or NULL.
static struct endpoint *prepare_endpoint(const struct making *making, const struct endpoint_config *wanted,
                                         struct endpoint *found, struct error *error) {
    if (found && unchanged(found, wanted, making))
        return endpoint_ref(found);
    struct address_list *addresses = addresses_of(wanted, making->source, error);
    if (!addresses)
        return NULL;
    struct endpoint *endpoint = endpoint_make(making, wanted, addresses);
    address_list_unref(addresses);
    if (found)
        endpoint_inherit(endpoint, found);
    return endpoint;
}

static bool prepare_pool(struct prepared_pool *prepared, const struct making *making, struct error *error) {
    const struct pool_config *config = making->config;
    struct endpoint **known = sorted(prepared->pool->endpoints, prepared->pool->endpoint_count, by_url);
    prepared->endpoints = mem_zero(config->endpoint_count, sizeof *prepared->endpoints);
    bool ok = true;
    for (size_t i = 0; ok && i < config->endpoint_count; i++) {
        const struct endpoint_config *wanted = &config->endpoints[i];
        struct endpoint **found =
            bsearch(wanted->url, known, prepared->pool->endpoint_count, sizeof *known, url_against);
        struct endpoint *endpoint = prepare_endpoint(making, wanted, found ? *found : NULL, error);
        ok = endpoint != NULL;
        if (ok)
            prepared->endpoints[prepared->endpoint_count++] = endpoint;
    }
    mem_free(known);
    return ok;
}

struct directory_change *directory_prepare(struct directory *directory, const struct config *config,
                                           struct tls_context *const *contexts,
                                           const struct address_source *source, struct error *error) {
    struct directory_change *change = mem_zero(1, sizeof *change);
    change->pools = mem_zero(config->pool_count, sizeof *change->pools);
    struct pool **known = sorted(directory->pools, directory->count, by_name);
    bool ok = true;
    for (size_t i = 0; ok && i < config->pool_count; i++) {
        const char *name = config->pools[i].name;
        struct pool **found = bsearch(name, known, directory->count, sizeof *known, name_against);
        change->pools[i].pool = found ? pool_ref(*found) : pool_new(name, directory->lane_count);
        change->count++;
        struct making making = {&config->pools[i], source, contexts ? contexts[i] : NULL,
                                directory->lane_count};
        ok = prepare_pool(&change->pools[i], &making, error);
    }
    mem_free(known);
    if (ok)
        return change;
    directory_abandon(change);
    return NULL;
}

void directory_abandon(struct directory_change *change) {
    for (size_t i = 0; i < change->count; i++) {
        for (size_t k = 0; k < change->pools[i].endpoint_count; k++)
            endpoint_unref(change->pools[i].endpoints[k]);
        mem_free(change->pools[i].endpoints);
        pool_unref(change->pools[i].pool);
    }
    mem_free(change->pools);
    mem_free(change);
}

// Marks what is in the new configuration, so that the rest can be told apart.
static void mark_kept(const struct directory_change *change, bool kept) {
    for (size_t i = 0; i < change->count; i++)
        for (size_t k = 0; k < change->pools[i].endpoint_count; k++)
            change->pools[i].endpoints[k]->kept = kept;
}

static void retire_the_rest(const struct pool *pool) {
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (!pool->endpoints[i]->kept)
            atomic_store(&pool->endpoints[i]->retired, true);
}

static void swap_endpoints(struct pool *pool, const struct prepared_pool *prepared) {
    for (size_t k = 0; k < pool->endpoint_count; k++)
        endpoint_unref(pool->endpoints[k]);
    mem_free(pool->endpoints);
    pool->endpoints = prepared->endpoints;
    pool->endpoint_count = prepared->endpoint_count;
}

void directory_commit(struct directory *directory, struct directory_change *change) {
    mark_kept(change, true);
    for (size_t i = 0; i < directory->count; i++)
        retire_the_rest(directory->pools[i]);
    mark_kept(change, false);
    struct pool **pools = mem_alloc((change->count + 1) * sizeof *pools);
    for (size_t i = 0; i < change->count; i++) {
        pools[i] = change->pools[i].pool;
        swap_endpoints(pools[i], &change->pools[i]);
    }
    for (size_t i = 0; i < directory->count; i++)
        pool_unref(directory->pools[i]);
    mem_free(directory->pools);
    directory->pools = pools;
    directory->count = change->count;
    mem_free(change->pools);
    mem_free(change);
}

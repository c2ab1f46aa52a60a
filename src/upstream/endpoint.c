#include "upstream/endpoint.h"

struct endpoint *endpoint_new(const char *pool, const char *url, const struct address *address,
                              const char *authority, unsigned weight, unsigned lane_count) {
    struct endpoint *endpoint = mem_zero_aligned(64, sizeof *endpoint);
    refcount_init(&endpoint->refs);
    endpoint->pool = mem_copy_string(pool);
    endpoint->url = mem_copy_string(url);
    endpoint->authority = mem_copy_string(authority);
    endpoint->address = *address;
    endpoint->weight = weight;
    // FNV-1a: the ring only needs points that are spread and never change.
    uint64_t hash = 14695981039346656037u;
    for (const char *c = url; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    endpoint->hash = hash;
    endpoint->lane_count = lane_count;
    endpoint->lanes = mem_zero_aligned(64, lane_count * sizeof *endpoint->lanes);
    for (unsigned i = 0; i < lane_count; i++)
        list_init(&endpoint->lanes[i].idle);
    return endpoint;
}

struct endpoint *endpoint_ref(struct endpoint *endpoint) {
    refcount_take(&endpoint->refs);
    return endpoint;
}

void endpoint_unref(struct endpoint *endpoint) {
    if (!endpoint || !refcount_drop(&endpoint->refs))
        return;
    for (unsigned i = 0; i < endpoint->lane_count; i++)
        must(list_empty(&endpoint->lanes[i].idle));
    mem_free(endpoint->lanes);
    mem_free((char *)endpoint->pool);
    mem_free((char *)endpoint->url);
    mem_free((char *)endpoint->authority);
    mem_free(endpoint);
}

bool endpoint_ready(const struct endpoint *endpoint) {
    return atomic_load_explicit(&endpoint->states, memory_order_relaxed) == 0;
}

bool endpoint_enter(struct endpoint *endpoint, unsigned most) {
    unsigned before = atomic_fetch_add_explicit(&endpoint->inflight, 1, memory_order_relaxed);
    if (most == 0 || before < most)
        return true;
    atomic_fetch_sub_explicit(&endpoint->inflight, 1, memory_order_relaxed);
    return false;
}

void endpoint_leave(struct endpoint *endpoint) {
    must(atomic_fetch_sub_explicit(&endpoint->inflight, 1, memory_order_relaxed) > 0);
}

#include "upstream/endpoint.h"
#include "base/clock.h"

// So long an address that took no connection is passed over while others are there.
#define FAILED_NS (10 * NS_PER_S)

struct endpoint *endpoint_new(const char *pool, const char *url, struct address_list *addresses,
                              const char *authority, unsigned weight, unsigned lane_count) {
    struct endpoint *endpoint = mem_zero_aligned(64, sizeof *endpoint);
    refcount_init(&endpoint->refs);
    endpoint->pool = mem_copy_string(pool);
    endpoint->url = mem_copy_string(url);
    endpoint->authority = mem_copy_string(authority);
    endpoint->addresses = address_list_ref(addresses);
    endpoint->weight = weight;
    // FNV-1a: the ring only needs points that are spread and never change.
    uint64_t hash = 14695981039346656037u;
    for (const char *c = url; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    endpoint->hash = hash;
    endpoint->lane_count = lane_count;
    endpoint->lanes = mem_zero_aligned(64, lane_count * sizeof *endpoint->lanes);
    for (unsigned i = 0; i < lane_count; i++) {
        list_init(&endpoint->lanes[i].idle);
        endpoint->lanes[i].addresses = address_list_ref(addresses);
        endpoint->lanes[i].turn = i; // so that few connections of many workers do not all begin with the same
    }
    return endpoint;
}

void endpoint_secure(struct endpoint *endpoint, struct tls_context *take_context, const char *server_name) {
    endpoint->tls = take_context;
    endpoint->server_name = mem_copy_string(server_name);
}

struct endpoint *endpoint_ref(struct endpoint *endpoint) {
    refcount_take(&endpoint->refs);
    return endpoint;
}

void endpoint_unref(struct endpoint *endpoint) {
    if (!endpoint || !refcount_drop(&endpoint->refs))
        return;
    for (unsigned i = 0; i < endpoint->lane_count; i++) {
        must(list_empty(&endpoint->lanes[i].idle));
        address_list_unref(endpoint->lanes[i].addresses);
        tls_session_clear(&endpoint->lanes[i].session);
    }
    tls_context_unref(endpoint->tls);
    mem_free((char *)endpoint->server_name);
    address_list_unref(endpoint->addresses);
    mem_free(endpoint->lanes);
    mem_free((char *)endpoint->pool);
    mem_free((char *)endpoint->url);
    mem_free((char *)endpoint->authority);
    mem_free((char *)endpoint->host);
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

int endpoint_lane_address(struct endpoint_lane *lane, const struct address_list *addresses, uint64_t tried,
                          uint64_t now_ns) {
    if (lane->failed && now_ns >= lane->failed_until_ns)
        lane->failed = 0;
    uint64_t failed = addresses == lane->addresses ? lane->failed : 0;
    int second_best = -1;
    for (unsigned i = 0; i < addresses->count; i++) {
        unsigned index = (lane->turn + i) % addresses->count;
        if (tried & UINT64_C(1) << index)
            continue;
        if (!(failed & UINT64_C(1) << index)) {
            lane->turn = index + 1;
            return (int)index;
        }
        if (second_best < 0)
            second_best = (int)index;
    }
    if (second_best >= 0)
        lane->turn = (unsigned)second_best + 1;
    return second_best;
}

void endpoint_lane_failed(struct endpoint_lane *lane, const struct address_list *addresses, int address,
                          uint64_t now_ns) {
    if (addresses != lane->addresses)
        return;
    if (!lane->failed)
        lane->failed_until_ns = now_ns + FAILED_NS;
    lane->failed |= UINT64_C(1) << address;
}

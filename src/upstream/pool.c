// The running pool and its queue.
#include "upstream/pool.h"
#include <string.h>

struct pool *pool_ref(struct pool *pool) {
    refcount_take(&pool->refs);
    return pool;
}

void pool_unref(struct pool *pool) {
    if (!pool || !refcount_drop(&pool->refs))
        return;
    for (size_t i = 0; i < pool->endpoint_count; i++)
        endpoint_unref(pool->endpoints[i]);
    mem_free(pool->endpoints);
    mem_free(pool->lanes);
    mem_free((char *)pool->name);
    mem_free(pool);
}

struct endpoint *pool_endpoint(const struct pool *pool, const char *url) {
    for (size_t i = 0; i < pool->endpoint_count; i++)
        if (strcmp(pool->endpoints[i]->url, url) == 0)
            return pool->endpoints[i];
    return NULL;
}

bool pool_wait(const struct pool_view *view, unsigned lane, struct waiter *waiter) {
    struct pool *pool = view->pool;
    unsigned before = atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed);
    if (before >= (unsigned)view->config->queue.size) {
        atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
        return false;
    }
    waiter->view = view;
    list_push(&pool->lanes[lane].waiters, &waiter->link);
    atomic_fetch_add_explicit(&pool->lanes[lane].waiting, 1, memory_order_seq_cst);
    atomic_thread_fence(memory_order_seq_cst);
    return true;
}

void pool_unwait(struct waiter *waiter, unsigned lane) {
    if (!list_linked(&waiter->link))
        return;
    list_remove(&waiter->link);
    struct pool *pool = waiter->view->pool;
    atomic_fetch_sub_explicit(&pool->lanes[lane].waiting, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
}

struct waiter *pool_waiter(struct pool *pool, unsigned lane) {
    struct link *head = &pool->lanes[lane].waiters;
    return list_empty(head) ? NULL : list_entry(head->next, struct waiter, link);
}

int pool_lane_to_wake(const struct pool *pool, unsigned lane) {
    // Pairs with the counting in pool_wait: either this sees the waiter, or the waiter's second try sees the
    // room.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&pool->waiting, memory_order_relaxed) == 0)
        return -1;
    // Starting behind the caller's own lane spreads the room over the workers.
    for (unsigned i = 1; i < pool->lane_count; i++) {
        unsigned other = (lane + i) % pool->lane_count;
        if (atomic_load_explicit(&pool->lanes[other].waiting, memory_order_seq_cst) > 0)
            return (int)other;
    }
    return -1;
}

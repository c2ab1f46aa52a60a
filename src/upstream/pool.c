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

static void note_oldest(struct pool *pool, unsigned lane) {
    const struct waiter *first = pool_waiter(pool, lane);
    atomic_store_explicit(&pool->lanes[lane].oldest, first ? first->ticket : 0, memory_order_relaxed);
}

bool pool_wait(const struct pool_view *view, unsigned lane, struct waiter *waiter) {
    struct pool *pool = view->pool;
    unsigned before = atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed);
    if (before >= (unsigned)view->config->queue.size) {
        atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
        return false;
    }
    waiter->view = view;
    waiter->ticket = atomic_fetch_add_explicit(&pool->tickets, 1, memory_order_relaxed) + 1;
    list_push(&pool->lanes[lane].waiters, &waiter->link);
    note_oldest(pool, lane);
    atomic_thread_fence(memory_order_seq_cst);
    return true;
}

void pool_unwait(struct waiter *waiter, unsigned lane) {
    if (!list_linked(&waiter->link))
        return;
    list_remove(&waiter->link);
    struct pool *pool = waiter->view->pool;
    note_oldest(pool, lane);
    atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
}

struct waiter *pool_waiter(struct pool *pool, unsigned lane) {
    struct link *head = &pool->lanes[lane].waiters;
    return list_empty(head) ? NULL : list_entry(head->next, struct waiter, link);
}

int pool_lane_to_serve(const struct pool *pool) {
    // Pairs with the fence in pool_wait: either this sees the waiter, or the waiter's second try sees the
    // room.
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&pool->waiting, memory_order_relaxed) == 0)
        return -1;
    int longest = -1;
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < pool->lane_count; i++) {
        uint64_t ticket = atomic_load_explicit(&pool->lanes[i].oldest, memory_order_relaxed);
        if (ticket && ticket < least) {
            least = ticket;
            longest = (int)i;
        }
    }
    return longest;
}

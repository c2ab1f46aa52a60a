#include "io/address_list.h"
#include "base/mem.h"
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *left, const void *right) {
    const struct address *a = left, *b = right;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return memcmp(&a->any, &b->any, a->len);
}

struct address_list *address_list_new(const struct address *items, size_t count) {
    must(count > 0);
    struct address *sorted = mem_alloc(count * sizeof *sorted);
    memcpy(sorted, items, count * sizeof *sorted);
    // Servers give the same addresses in another order each time: that is no change.
    qsort(sorted, count, sizeof *sorted, by_bytes);
    struct address_list *list = mem_zero(1, sizeof *list + count * sizeof *sorted);
    refcount_init(&list->refs);
    for (size_t i = 0; i < count && list->count < ADDRESS_LIST_MOST; i++)
        if (i == 0 || by_bytes(&sorted[i - 1], &sorted[i]) != 0)
            list->items[list->count++] = sorted[i];
    mem_free(sorted);
    return list;
}

struct address_list *address_list_ref(struct address_list *list) {
    refcount_take(&list->refs);
    return list;
}

void address_list_unref(struct address_list *list) {
    if (list && refcount_drop(&list->refs))
        mem_free(list);
}

bool address_list_has(const struct address_list *list, const struct address *address) {
    for (unsigned i = 0; i < list->count; i++)
        if (by_bytes(&list->items[i], address) == 0)
            return true;
    return false;
}

bool address_list_equal(const struct address_list *list, const struct address_list *other) {
    if (list->count != other->count)
        return false;
    for (unsigned i = 0; i < list->count; i++)
        if (by_bytes(&list->items[i], &other->items[i]) != 0)
            return false;
    return true;
}

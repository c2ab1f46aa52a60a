// address_list: where an endpoint can be reached: one or several addresses, sorted, without repeats.
// Immutable and shared by reference; any thread.
#pragma once
#include "base/refcount.h"
#include "io/address.h"

// More are left out: who connects keeps one bit per address.
#define ADDRESS_LIST_MOST 64

struct address_list {
    struct refcount refs;
    unsigned count; // at least 1
    struct address items[];
};
// With one reference. `count` is at least 1; the items are copied.
struct address_list *address_list_new(const struct address *items, size_t count);
struct address_list *address_list_ref(struct address_list *list);
void address_list_unref(struct address_list *list);
bool address_list_has(const struct address_list *list, const struct address *address);
bool address_list_equal(const struct address_list *list, const struct address_list *other);

// route_index: routes by host and path, so that a thousand of them cost little more than one. Immutable once
// built; any thread reads. Routes are numbered in the file's order; every list holds them in that order.
//   hosts: one group for each exact host, each wildcard's suffix and one for "any host";
//   in a group: lists by exact path, by path prefix (tried once for each length that occurs) and for any
//   path.
#pragma once
#include "base/arena.h"
#include "config/config.h"

struct route_entry {
    size_t route;
    struct route_entry *next;
};
struct route_list {
    struct route_entry *first, *last;
};
struct route_index;

struct route_index *route_index_new(const struct config *config);
void route_index_free(struct route_index *index);

// Calls visit for every list whose routes match this host and path, in no particular order.
void route_index_find(const struct route_index *index, struct slice host, struct slice path,
                      void (*visit)(const struct route_list *list, void *context), void *context);

// ring: consistent hashing over all endpoints of a pool (balance: unit_hash). Each endpoint owns points on a
// circle of 64-bit hashes, in proportion to its weight; a unit belongs to the next point. Removing an
// endpoint moves only its own units. Immutable after ring_new; any thread. (Karger et al., Consistent Hashing
// and Random Trees, 1997.)
#pragma once
#include "upstream/endpoint.h"

struct ring;
struct ring *ring_new(struct endpoint *const *endpoints, size_t count);
void ring_free(struct ring *ring);
// Index of the first endpoint from the unit's place on that `usable` accepts; `count` when none does.
size_t ring_find(const struct ring *ring, uint64_t unit_hash, bool (*usable)(size_t index, void *context),
                 void *context);

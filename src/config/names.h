// names: a sorted array of names, to find one and to find those that are there twice.
#pragma once
#include "config/config.h"

struct named {
    const char *name;
    struct place place;
    size_t index; // in the file's order
};
void names_sort(struct named *names, size_t count); // by name, then index
// NULL when absent; the first in the file's order.
const struct named *names_find(const struct named *sorted, size_t count, const char *name);
// The position, at or after `from` (at least 1), of a name that equals the one before it; `count` when there
// is none.
size_t names_repeat(const struct named *sorted, size_t count, size_t from);

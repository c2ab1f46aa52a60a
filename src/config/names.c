#include "names.h"
#include <stdlib.h>

static int by_name(const void *left, const void *right) {
    const struct named *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->index > b->index) - (a->index < b->index);
}

void names_sort(struct named *names, size_t count) {
    if (count > 1)
        qsort(names, count, sizeof *names, by_name);
}

const struct named *names_find(const struct named *sorted, size_t count, const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && strcmp(sorted[low].name, name) == 0 ? &sorted[low] : NULL;
}

size_t names_repeat(const struct named *sorted, size_t count, size_t from) {
    while (from < count && strcmp(sorted[from - 1].name, sorted[from].name) != 0)
        from++;
    return from < count ? from : count;
}

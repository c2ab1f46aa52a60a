#include "times.h"

#include "wire.h"

#include <stdlib.h>

void times_keep(struct times *times, uint64_t time) {
    if (times->count == times->room) {
        times->room = times->room ? times->room * 2 : 65536;
        times->list = realloc(times->list, times->room * sizeof *times->list);
        if (!times->list)
            wire_fail("realloc");
    }
    times->list[times->count++] = time;
}

static int by_size(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

void times_sort(struct times *times) {
    if (times->count)
        qsort(times->list, times->count, sizeof *times->list, by_size);
}

double times_microseconds(const struct times *sorted, double share) {
    return sorted->count ? (double)sorted->list[(size_t)(share * (double)(sorted->count - 1))] / 1000 : 0;
}

// Times of the load generator, nanoseconds: all are kept, so that percentiles are exact.
#ifndef BENCH_TIMES_H
#define BENCH_TIMES_H

#include <stddef.h>
#include <stdint.h>

struct times {
    uint64_t *list;
    size_t count, room;
};

void times_keep(struct times *times, uint64_t time);
void times_sort(struct times *times);
// Of a sorted list: the time that `share` of them do not exceed, in microseconds; 0 when there is none.
double times_microseconds(const struct times *sorted, double share);

#endif

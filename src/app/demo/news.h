// news: the last notable events of the demo, decisions of the controller among them, each with the moment it
// happened. Owner: demo_main; one thread.
#pragma once
#include <stdint.h>

#define NEWS_KEPT  40
#define NEWS_SHOWN 5 // while it runs
#define NEWS_TEXT  600

struct news_item {
    uint64_t at_ns; // clock_monotonic_ns
    char text[NEWS_TEXT];
};
struct news {
    struct news_item items[NEWS_KEPT]; // items[i % NEWS_KEPT] is the i-th ever
    uint64_t count;
};

void news_add(struct news *news, const char *format, ...) __attribute__((format(printf, 2, 3)));

#include "news.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>

void news_add(struct news *news, const char *format, ...) {
    struct news_item *item = &news->items[news->count++ % NEWS_KEPT];
    va_list values;
    item->at_ns = clock_monotonic_ns();
    va_start(values, format);
    vsnprintf(item->text, sizeof item->text, format, values);
    va_end(values);
}

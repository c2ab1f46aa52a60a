#include "http/retry_after.h"
#include "http/date.h"

#define SECONDS_MOST 31536000 // a year: more is not told apart

int64_t retry_after_ms(const struct head *head, uint64_t wall_ms) {
    const struct field *field = head_find(head, FIELD_RETRY_AFTER), *date = head_find(head, FIELD_DATE);
    uint64_t delay;
    int64_t then, now = (int64_t)(wall_ms / 1000);
    if (!field)
        return -1;
    if (slice_to_u64(field->value, &delay))
        return (int64_t)(delay < SECONDS_MOST ? delay : SECONDS_MOST) * 1000;
    if (!date_read(field->value, &then))
        return -1;
    if (date && !date_read(date->value, &now))
        now = (int64_t)(wall_ms / 1000);
    return then <= now ? 0 : (then - now < SECONDS_MOST ? then - now : SECONDS_MOST) * 1000;
}

#include "http/date.h"

#include <time.h>

struct parts {
    int day, month, year, hour, minute, second; // month from 0; -1: none of that name
};

static int month_named(const char *at) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (memcmp(names + 3 * i, at, 3) == 0)
            return i;
    return -1;
}

static int *digits_of(struct parts *parts, char kind) {
    switch (kind) {
    case 'D':
        return &parts->day;
    case 'Y':
        return &parts->year;
    case 'h':
        return &parts->hour;
    case 'm':
        return &parts->minute;
    case 's':
        return &parts->second;
    default:
        return NULL;
    }
}

// `form`: a letter of digits_of stands for a digit of it, "MON" for the month, '?' for any byte; a day may
// have a space for its first digit; everything else is itself.
static bool read_form(struct slice text, const char *form, struct parts *parts) {
    *parts = (struct parts){.month = -1};
    if (text.len != strlen(form))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        int *number = digits_of(parts, form[i]);
        unsigned digit = (unsigned)(unsigned char)text.at[i] - '0';
        if (strncmp(form + i, "MON", 3) == 0) {
            parts->month = month_named(text.at + i);
            i += 2;
        } else if (number && digit <= 9) {
            *number = *number * 10 + (int)digit;
        } else if (form[i] != '?' && text.at[i] != form[i] &&
                   !(form[i] == 'D' && form[i + 1] == 'D' && text.at[i] == ' ')) {
            return false;
        }
    }
    return true;
}

static bool to_seconds(const struct parts *parts, int64_t *seconds) {
    struct tm time = {.tm_mday = parts->day,
                      .tm_mon = parts->month,
                      .tm_year = parts->year - 1900,
                      .tm_hour = parts->hour,
                      .tm_min = parts->minute,
                      .tm_sec = parts->second};
    if (parts->month < 0 || parts->hour > 23 || parts->minute > 59 || parts->second > 60)
        return false;
    *seconds = (int64_t)timegm(&time);
    return time.tm_mday == parts->day || parts->second == 60; // else a day that its month has not
}

bool date_read(struct slice text, int64_t *seconds) {
    struct parts parts;
    if (read_form(text, "???, DD MON YYYY hh:mm:ss GMT", &parts) ||
        read_form(text, "??? MON DD hh:mm:ss YYYY", &parts))
        return to_seconds(&parts, seconds);
    size_t comma = slice_find(text, ',');
    if (comma < 6 || !read_form(slice_from(text, comma), ", DD-MON-YY hh:mm:ss GMT", &parts))
        return false;
    parts.year += parts.year < 70 ? 2000 : 1900; // what is still to come of the two is far away
    return to_seconds(&parts, seconds);
}

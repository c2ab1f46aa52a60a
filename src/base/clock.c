#include "base/clock.h"
#include "base/mem.h"
#include <stdatomic.h>
#include <string.h>
#include <time.h>

uint64_t clock_monotonic_ns(void) {
    struct timespec now;
    must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_wall_ms(void) {
    struct timespec now;
    must(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

uint64_t clock_steady_ms(void) {
    static atomic_ullong start_ms; // Unix time when the monotonic clock began
    uint64_t since_ms = clock_monotonic_ns() / NS_PER_MS;
    unsigned long long start = atomic_load_explicit(&start_ms, memory_order_relaxed);
    if (start == 0) {
        unsigned long long mine = clock_wall_ms() - since_ms; // the first thread's counts
        start = atomic_compare_exchange_strong(&start_ms, &start, mine) ? mine : start;
    }
    return start + since_ms;
}

static void put_digits(char *at, uint64_t value, int digits) {
    while (digits--) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

struct date {
    unsigned year, month, day, weekday; // month from 1, weekday from Sunday, 0
};

// Calendar arithmetic of our own: gmtime_r takes a process-wide lock. Years start in March here, so that the
// leap day is a year's last; 400 years are 146,097 days.
static struct date date_of(uint64_t days) { // since 1970-01-01, a Thursday
    uint64_t day = days + 719468;           // since 0000-03-01
    uint64_t era = day / 146097, day_of_era = day % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct date){
        .year = (unsigned)(era * 400 + year_of_era + (month <= 2)),
        .month = (unsigned)month,
        .day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .weekday = (unsigned)((days + 4) % 7),
    };
}

static uint64_t four_digit_year(uint64_t wall_ms) {
    const uint64_t end_of_9999 = 253402300799999ull;
    return wall_ms > end_of_9999 ? end_of_9999 : wall_ms;
}

static void put_time(char *at, uint64_t wall_ms) { // 05:35:24
    uint64_t second = wall_ms / 1000 % 86400;
    put_digits(at, second / 3600, 2);
    at[2] = at[5] = ':';
    put_digits(at + 3, second / 60 % 60, 2);
    put_digits(at + 6, second % 60, 2);
}

void clock_iso(uint64_t wall_ms, char text[CLOCK_ISO_BYTES]) {
    wall_ms = four_digit_year(wall_ms);
    struct date date = date_of(wall_ms / 86400000);
    put_digits(text, date.year, 4);
    text[4] = text[7] = '-';
    put_digits(text + 5, date.month, 2);
    put_digits(text + 8, date.day, 2);
    text[10] = 'T';
    put_time(text + 11, wall_ms);
    text[19] = '.';
    put_digits(text + 20, wall_ms % 1000, 3);
    text[23] = 'Z';
    text[24] = '\0';
}

void clock_http(uint64_t wall_ms, char text[CLOCK_HTTP_BYTES]) {
    static const char weekdays[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    wall_ms = four_digit_year(wall_ms);
    struct date date = date_of(wall_ms / 86400000);
    memcpy(text, "Sun, 01 Jan 1970 00:00:00 GMT", CLOCK_HTTP_BYTES);
    memcpy(text, weekdays[date.weekday], 3);
    put_digits(text + 5, date.day, 2);
    memcpy(text + 8, months[date.month - 1], 3);
    put_digits(text + 12, date.year, 4);
    put_time(text + 17, wall_ms);
}

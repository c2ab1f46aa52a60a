#include "base/clock.h"
#include "base/mem.h"
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

static void put_digits(char *at, uint64_t value, int digits) {
    while (digits--) {
        at[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

// Calendar arithmetic of our own: gmtime_r takes a process-wide lock. Years start in March here, so that the
// leap day is a year's last; 400 years are 146,097 days.
void clock_iso(uint64_t wall_ms, char text[CLOCK_ISO_BYTES]) {
    const uint64_t end_of_9999 = 253402300799999ull;
    if (wall_ms > end_of_9999)
        wall_ms = end_of_9999;
    uint64_t second = wall_ms / 1000 % 86400;
    uint64_t day = wall_ms / 86400000 + 719468; // since 0000-03-01
    uint64_t era = day / 146097, day_of_era = day % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t month_from_march = (5 * day_of_year + 2) / 153;
    uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    put_digits(text, era * 400 + year_of_era + (month <= 2), 4);
    text[4] = '-';
    put_digits(text + 5, month, 2);
    text[7] = '-';
    put_digits(text + 8, day_of_year - (153 * month_from_march + 2) / 5 + 1, 2);
    text[10] = 'T';
    put_digits(text + 11, second / 3600, 2);
    text[13] = ':';
    put_digits(text + 14, second / 60 % 60, 2);
    text[16] = ':';
    put_digits(text + 17, second % 60, 2);
    text[19] = '.';
    put_digits(text + 20, wall_ms % 1000, 3);
    text[23] = 'Z';
    text[24] = '\0';
}

#include "http/retry_after.h"
#include "unit.h"

#include <stdio.h>

#define NOW  1795412124000ull // Mon, 23 Nov 2026 05:35:24 GMT
#define YEAR INT64_C(31536000000)

static int64_t asked(const char *retry_after, const char *date) {
    static struct head head;
    static char bytes[512];
    int len = snprintf(bytes, sizeof bytes, "HTTP/1.1 429 X\r\n%s%s%s%s%s%s\r\n",
                       retry_after ? "Retry-After: " : "", retry_after ? retry_after : "",
                       retry_after ? "\r\n" : "", date ? "Date: " : "", date ? date : "", date ? "\r\n" : "");
    struct head_limits limits = {SIZE_MAX, 65536};
    enum reject reject;
    assert_int_equal(head_read_response(slice_make(bytes, (size_t)len), &limits, &head, &reject),
                     HEAD_COMPLETE);
    return retry_after_ms(&head, NOW);
}

static void seconds_dates_and_garbage(void **state) {
    (void)state;
    static const struct {
        const char *retry_after, *date;
        int64_t ms;
    } cases[] = {
        {NULL, NULL, -1},
        {"0", NULL, 0},
        {"1", NULL, 1000},
        {"120", "Mon, 23 Nov 2026 01:00:00 GMT", 120000},
        {"99999999999", NULL, YEAR},
        {"999999999999999999999999", NULL, -1},
        {"", NULL, -1},
        {"-1", NULL, -1},
        {"+1", NULL, -1},
        {"1.5", NULL, -1},
        {"1s", NULL, -1},
        {"soon", NULL, -1},
        {"Mon, 23 Nov 2026 05:35:34 GMT", NULL, 10000}, // by our clock
        {"Mon, 23 Nov 2026 05:35:24 GMT", NULL, 0},
        {"Mon, 23 Nov 2026 05:35:20 GMT", NULL, 0},
        {"Monday, 23-Nov-26 05:35:34 GMT", NULL, 10000},
        {"Mon Nov 23 05:35:34 2026", NULL, 10000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", NULL, YEAR},
        {"Mon, 23 Nov 2026 08:00:07 GMT", "Mon, 23 Nov 2026 08:00:00 GMT",
         7000}, // by its own, which is ahead
        {"Mon, 23 Nov 2026 01:00:07 GMT", "Mon, 23 Nov 2026 01:00:00 GMT", 7000}, // … or behind
        {"Mon, 23 Nov 2026 05:35:34 GMT", "now", 10000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms = asked(cases[i].retry_after, cases[i].date);
        if (ms != cases[i].ms)
            fail_msg("%s: %lld", cases[i].retry_after, (long long)ms);
    }
}

int test_retry_after(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(seconds_dates_and_garbage)};
    return cmocka_run_group_tests_name("retry_after", tests, NULL, NULL);
}

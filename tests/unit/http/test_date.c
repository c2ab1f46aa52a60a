#include "http/date.h"
#include "unit.h"

static void reads_the_three_forms(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, // the three of RFC 9110 5.6.7
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Mon, 23 Nov 2026 05:35:24 GMT", 1795412124},
        {"Monday, 23-Nov-26 05:35:24 GMT", 1795412124},
        {"Mon Nov 23 05:35:24 2026", 1795412124},
        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800}, // a leap second
        {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -1;
        if (!date_read(slice_of(cases[i].text), &seconds) || seconds != cases[i].seconds)
            fail_msg("%s: %lld", cases[i].text, (long long)seconds);
    }
}

static void refuses_everything_else(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "GMT",
        "120",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:+7 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        ", 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "1994-11-06T08:49:37Z",
    };
    int64_t seconds;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (date_read(slice_of(cases[i]), &seconds))
            fail_msg("%s was read", cases[i]);
}

int test_date(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_three_forms),
        cmocka_unit_test(refuses_everything_else),
    };
    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}

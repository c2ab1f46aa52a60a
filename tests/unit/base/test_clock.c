#include "base/clock.h"
#include "unit.h"
#include <stdio.h>
#include <time.h>

static void writes_known_times(void **state) {
    (void)state;
    char text[CLOCK_ISO_BYTES];
    clock_iso(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    clock_iso(1795412124123ull, text);
    assert_string_equal(text, "2026-11-23T05:35:24.123Z");
    clock_iso(951782400000ull, text);
    assert_string_equal(text, "2000-02-29T00:00:00.000Z");
    clock_iso(253402300799999ull, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    clock_iso(UINT64_MAX, text); // clamped, never overruns
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    char date[CLOCK_HTTP_BYTES];
    clock_http(784887151000ull, date); // RFC 9110 6.6.1's own
    assert_string_equal(date, "Tue, 15 Nov 1994 08:12:31 GMT");
    clock_http(UINT64_MAX, date);
    assert_string_equal(date, "Fri, 31 Dec 9999 23:59:59 GMT");
}

static void agrees_with_the_library(void **state) {
    (void)state;
    for (uint64_t ms = 0; ms < 8000000000000ull; ms += 86399999ull * 7 + 1234567) {
        char text[CLOCK_ISO_BYTES], want[64];
        time_t second = (time_t)(ms / 1000);
        struct tm tm;
        gmtime_r(&second, &tm);
        size_t len = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(want + len, sizeof want - len, ".%03uZ", (unsigned)(ms % 1000));
        clock_iso(ms, text);
        assert_string_equal(text, want);
        char date[CLOCK_HTTP_BYTES];
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        clock_http(ms, date);
        assert_string_equal(date, want);
    }
}

static void goes_on(void **state) {
    (void)state;
    uint64_t before = clock_monotonic_ns();
    assert_true(before > 0);
    assert_true(clock_monotonic_ns() >= before);
    uint64_t wall = clock_wall_ms(), now = (uint64_t)time(NULL) * 1000;
    assert_true(wall + 5000 > now && wall < now + 5000);
    uint64_t steady = clock_steady_ms();
    assert_true(steady + 5000 > wall && steady < wall + 5000);
    assert_true(clock_steady_ms() >= steady);
}

int test_clock(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_known_times),
        cmocka_unit_test(agrees_with_the_library),
        cmocka_unit_test(goes_on),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}

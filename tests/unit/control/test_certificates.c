// Which certificates are announced, and when.
#include "../../../src/control/certificates.h"
#include "unit.h"
#include <stdio.h>
#include <string.h>

#define DAY    INT64_C(86400)
#define NOW    INT64_C(1800000000)
#define NOW_MS ((uint64_t)NOW * 1000)
#define DAY_MS ((uint64_t)DAY * 1000)

static void add(struct certificates *certificates, const char *listener, const char *pool, const char *path,
                int64_t from, int64_t until) {
    struct certificate certificate = {listener, pool, path, {3, 7}, {from, until}};
    certificates_add(certificates, &certificate);
}

// The one warning about a certificate that is good from and until then; "" when there is none.
static void warning(int64_t from, int64_t until, char text[512]) {
    struct certificates certificates = {0};
    struct outcome outcome = {0};
    add(&certificates, "l", NULL, "/c.pem", from, until);
    certificates_warn(&certificates, NOW_MS, &outcome);
    assert_in_range(outcome.warning_count, 0, 1);
    *text = 0;
    if (outcome.warning_count) {
        assert_int_equal(outcome.warnings[0].place.line, 3);
        snprintf(text, 512, "%s", outcome.warnings[0].text);
    }
    outcome_clear(&outcome);
    certificates_free(&certificates);
}

static void a_certificate_is_announced_fourteen_days_before_its_end(void **state) {
    (void)state;
    char text[512];
    warning(NOW - DAY, NOW + 14 * DAY, text);
    assert_string_equal(text, "");
    warning(NOW - DAY, NOW + 14 * DAY - 1, text);
    assert_string_equal(text, "certificate /c.pem expires at 2027-01-29T07:59:59.000Z, 13 days from now");
    warning(NOW - DAY, NOW + 1, text);
    assert_string_equal(text, "certificate /c.pem expires at 2027-01-15T08:00:01.000Z, 0 days from now");
    warning(NOW - DAY, NOW, text);
    assert_string_equal(text, "certificate /c.pem has expired, at 2027-01-15T08:00:00.000Z");
    warning(NOW + 1, NOW + 99 * DAY, text);
    assert_string_equal(text, "certificate /c.pem is not valid before 2027-01-15T08:00:01.000Z");
    warning(INT64_MIN, INT64_MAX, text);
    assert_string_equal(text, "");
    warning(INT64_MIN, INT64_MIN, text);
    assert_string_equal(text, "certificate /c.pem has expired, at 1970-01-01T00:00:00.000Z");
}

static void the_log_has_them_once_a_day(void **state) {
    (void)state;
    struct certificates certificates = {0};
    assert_true(certificates_tick(&certificates, NOW_MS));
    assert_false(certificates_tick(&certificates, NOW_MS));
    assert_false(certificates_tick(&certificates, NOW_MS + DAY_MS - 1));
    assert_true(certificates_tick(&certificates, NOW_MS + DAY_MS));
    assert_false(certificates_tick(&certificates, NOW_MS + DAY_MS + 1));
    assert_true(certificates_tick(&certificates, NOW_MS)); // the clock was set back
    assert_false(certificates_tick(&certificates, NOW_MS + 1));
    certificates_free(&certificates);
}

static void each_is_measured_once_by_who_shows_it(void **state) {
    (void)state;
    struct certificates certificates = {0};
    struct exposition out = {0};
    static const char listener[] = "[::]:8443", pool[] = "green";
    add(&certificates, listener, NULL, "/a.pem", NOW, NOW + 30 * DAY);
    add(&certificates, listener, NULL, "/a.pem", NOW, NOW + 30 * DAY);
    add(&certificates, listener, NULL, "/b \"b\".pem", NOW, NOW + 1);
    add(&certificates, NULL, pool, "/a.pem", NOW, NOW + 30 * DAY);
    certificates_write(&certificates, &out);
    const char *samples = strstr(strbuf_text(&out.text), "\nsluice_certificate");
    assert_non_null(samples);
    assert_string_equal(
        samples,
        "\nsluice_certificate_expiry_timestamp_seconds{listener=\"[::]:8443\",certificate=\"/a.pem\"} "
        "1802592000\n"
        "sluice_certificate_expiry_timestamp_seconds{listener=\"[::]:8443\",certificate=\"/b "
        "\\\"b\\\".pem\"} "
        "1800000001\n"
        "sluice_certificate_expiry_timestamp_seconds{pool=\"green\",certificate=\"/a.pem\"} 1802592000\n");
    strbuf_free(&out.text);
    certificates_free(&certificates);
}

int test_certificates(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_announced_fourteen_days_before_its_end),
        cmocka_unit_test(the_log_has_them_once_a_day),
        cmocka_unit_test(each_is_measured_once_by_who_shows_it),
    };
    return cmocka_run_group_tests_name("certificates", tests, NULL, NULL);
}

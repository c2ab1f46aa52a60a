// Of wrong tokens so many are answered, then one for each time that passed; of each address, or network, for
// itself.
#include "../../../src/control/denials.h"
#include "base/clock.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define REFILL (DENIALS_REFILL_S * (uint64_t)NS_PER_S)
#define START  (1000 * (uint64_t)NS_PER_S)

static struct ip ip(const char *text) {
    struct ip parsed;
    assert_true(ip_parse(slice_of(text), &parsed));
    return parsed;
}

static unsigned wrong(struct denials *denials, const char *from, uint64_t at_ns) {
    struct ip address = ip(from);
    return denials_note(denials, ACCESS_TOKEN_WRONG, &address, at_ns);
}

static void a_few_wrong_tokens_are_answered(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    for (int i = 0; i < DENIALS_BURST; i++)
        assert_int_equal(wrong(denials, "10.0.0.1", START), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(wrong(denials, "10.0.0.1", START), DENIALS_REFILL_S);
    assert_int_equal(wrong(denials, "10.0.0.2", START), 0);
    assert_int_equal(wrong(denials, "10.0.0.1", START + REFILL - 1), DENIALS_REFILL_S);
    denials_free(denials);
}

static void time_lets_off(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    for (int i = 0; i < DENIALS_BURST + 3; i++)
        wrong(denials, "10.0.0.1", START);
    assert_int_equal(wrong(denials, "10.0.0.1", START + REFILL), 0);
    assert_int_equal(wrong(denials, "10.0.0.1", START + REFILL), DENIALS_REFILL_S);
    for (int i = 0; i < DENIALS_BURST; i++)
        assert_int_equal(wrong(denials, "10.0.0.1", START + 100 * REFILL), 0);
    assert_int_equal(wrong(denials, "10.0.0.1", START + 100 * REFILL), DENIALS_REFILL_S);
    denials_free(denials);
}

static void a_network_of_ipv6_is_one(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    char text[40];
    for (int i = 0; i < DENIALS_BURST; i++) {
        snprintf(text, sizeof text, "2001:db8::%x", i + 1);
        assert_int_equal(wrong(denials, text, START), 0);
    }
    assert_int_equal(wrong(denials, "2001:db8::ffff", START), DENIALS_REFILL_S);
    assert_int_equal(wrong(denials, "2001:db8:0:1::1", START), 0);
    denials_free(denials);
}

static void only_wrong_tokens_are_held_against_one(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    struct ip from = ip("10.0.0.1");
    for (int i = 0; i < 100; i++)
        assert_int_equal(denials_note(denials, ACCESS_TOKEN_MISSING, &from, START), 0);
    assert_int_equal(wrong(denials, "10.0.0.1", START), 0);
    denials_free(denials);
}

// More addresses than there is room for: who came last is remembered.
static void a_flood_of_addresses_takes_no_more_room(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    char text[40];
    for (int i = 0; i < 3 * DENIALS_ADDRESSES; i++) {
        snprintf(text, sizeof text, "10.1.%d.%d", i / 250, i % 250);
        assert_int_equal(wrong(denials, text, START + (uint64_t)i), 0);
    }
    for (int i = 1; i < DENIALS_BURST; i++)
        assert_int_equal(wrong(denials, text, START + 1000), 0);
    assert_int_equal(wrong(denials, text, START + 1000), DENIALS_REFILL_S);
    denials_free(denials);
}

static void everything_is_counted_once(void **state) {
    (void)state;
    struct denials *denials = denials_new();
    struct ip from = ip("10.0.0.1");
    struct exposition out = {0};
    for (int i = 0; i < DENIALS_BURST + 2; i++)
        wrong(denials, "10.0.0.1", START);
    denials_note(denials, ACCESS_NOT_LOCAL, &from, START);
    denials_write(denials, &out);
    assert_non_null(strstr(strbuf_text(&out.text), "sluice_admin_denied_total{reason=\"token_wrong\"} 5\n"));
    assert_non_null(strstr(strbuf_text(&out.text), "sluice_admin_denied_total{reason=\"rate_limited\"} 2\n"));
    assert_non_null(strstr(strbuf_text(&out.text), "sluice_admin_denied_total{reason=\"not_local\"} 1\n"));
    assert_non_null(
        strstr(strbuf_text(&out.text), "sluice_admin_denied_total{reason=\"token_missing\"} 0\n"));
    strbuf_free(&out.text);
    denials_free(denials);
}

int test_denials(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_wrong_tokens_are_answered),
        cmocka_unit_test(time_lets_off),
        cmocka_unit_test(a_network_of_ipv6_is_one),
        cmocka_unit_test(only_wrong_tokens_are_held_against_one),
        cmocka_unit_test(a_flood_of_addresses_takes_no_more_room),
        cmocka_unit_test(everything_is_counted_once),
    };
    return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}

#include "io/address.h"
#include "unit.h"

static void forms_are_read_and_written_back(void **state) {
    (void)state;
    static const char *const texts[] = {"127.0.0.1:8080", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:80",
                                        "unix:/run/sluice.sock"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address;
        struct error error = {0};
        char text[ADDRESS_TEXT];
        assert_true(address_parse(&address, texts[i], &error));
        address_text(&address, text);
        assert_string_equal(text, texts[i]);
    }
}

static void wrong_forms_are_named(void **state) {
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "127.0.0.1:",   "127.0.0.1:65536", "localhost:80",
                                        "[::1:80",   "127.0.0.1:-1", "unix:",           ":x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address;
        struct error error = {0};
        assert_false(address_parse(&address, texts[i], &error));
        assert_true(error.text[0] != 0);
    }
}

static void mapped_ipv4_is_shown_as_ipv4(void **state) {
    (void)state;
    struct address address;
    struct error error;
    char text[ADDRESS_TEXT];
    assert_true(address_parse(&address, "[::ffff:10.1.2.3]:80", &error));
    assert_int_equal(address_host(&address, text), 8);
    assert_string_equal(text, "10.1.2.3");
}

static void the_ip_of_an_address(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"10.1.2.3:80", "10.1.2.3"},
                                           {"[::ffff:10.1.2.3]:80", "10.1.2.3"},
                                           {"[2001:db8::1]:80", "2001:db8::1"},
                                           {"unix:/run/s.sock", "unix"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct address address;
        struct error error;
        char text[IP_TEXT];
        assert_true(address_parse(&address, pairs[i][0], &error));
        struct ip ip = address_ip(&address);
        ip_text(&ip, text);
        assert_string_equal(text, pairs[i][1]);
    }
}

static void a_numeric_host_is_told_from_a_name(void **state) {
    (void)state;
    struct address address;
    char text[ADDRESS_TEXT];
    assert_true(address_numeric(&address, "127.0.0.1", 81));
    assert_int_equal(address_port(&address), 81);
    assert_true(address_numeric(&address, "2001:db8::1", 81));
    address_set_port(&address, 82);
    address_text(&address, text);
    assert_string_equal(text, "[2001:db8::1]:82");
    assert_false(address_numeric(&address, "localhost", 81));
    assert_false(address_numeric(&address, "127.1", 81));
}

int test_address(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_read_and_written_back),    cmocka_unit_test(wrong_forms_are_named),
        cmocka_unit_test(mapped_ipv4_is_shown_as_ipv4),       cmocka_unit_test(the_ip_of_an_address),
        cmocka_unit_test(a_numeric_host_is_told_from_a_name),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

#include "config/network.h"
#include "unit.h"

static struct ip ip(const char *text) {
    struct ip ip;
    assert_true(ip_parse(slice_of(text), &ip));
    return ip;
}

static void addresses(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"10.0.0.1", "10.0.0.1"},        {"255.255.255.255", "255.255.255.255"},
        {"2001:DB8::1", "2001:db8::1"},  {"::", "::"},
        {"::ffff:10.1.2.3", "10.1.2.3"}, {"::ffff:a01:203", "10.1.2.3"},
        {"::1.2.3.4", "::1.2.3.4"},      {"0.0.0.0", "0.0.0.0"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[IP_TEXT];
        struct ip read = ip(pairs[i][0]);
        assert_int_equal(ip_text(&read, text), strlen(pairs[i][1]));
        assert_string_equal(text, pairs[i][1]);
    }
    static const char *const wrong[] = {
        "",          "10.0.0",    "10.0.0.01",   "10.0.0.256",
        "10.0.0.1 ", " 10.0.0.1", "[::1]",       "::1%lo",
        "unix",      "localhost", "1",           "0x7f.0.0.1",
        ":::",       "1::2::3",   "10.0.0.1:80", "1111:2222:3333:4444:5555:6666:7777:8888:9999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ip read;
        assert_false(ip_parse(slice_of(wrong[i]), &read));
    }
    struct ip read;
    assert_false(ip_parse(SLICE("10.0.0.1\0"), &read));
}

static void networks(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum network_fault fault;
        const char *read; // NULL: nothing
    } cases[] = {
        {"10.0.0.0/8", NETWORK_FINE, "10.0.0.0/8"},
        {"10.0.0.1", NETWORK_FINE, "10.0.0.1/32"},
        {"0.0.0.0/0", NETWORK_FINE, "0.0.0.0/0"},
        {"::/0", NETWORK_FINE, "::/0"},
        {"::1", NETWORK_FINE, "::1/128"},
        {"2001:db8::/33", NETWORK_FINE, "2001:db8::/33"},
        {"::ffff:10.0.0.0/104", NETWORK_FINE, "10.0.0.0/8"},
        {"::ffff:0:0/96", NETWORK_FINE, "0.0.0.0/0"},
        {"::ffff:10.0.0.1", NETWORK_FINE, "10.0.0.1/32"},
        {"10.0.0.5/8", NETWORK_HOST_BITS, "10.0.0.0/8"},
        {"10.128.0.0/8", NETWORK_HOST_BITS, "10.0.0.0/8"},
        {"192.168.1.129/25", NETWORK_HOST_BITS, "192.168.1.128/25"},
        {"1.2.3.4/0", NETWORK_HOST_BITS, "0.0.0.0/0"},
        {"2001:db8::1/32", NETWORK_HOST_BITS, "2001:db8::/32"},
        {"::ffff:0:0/90", NETWORK_HOST_BITS, "::ffc0:0:0/90"},
        {"::ffff:0:0/95", NETWORK_HOST_BITS, "::fffe:0:0/95"},
        {"::ffff:0:0/80", NETWORK_HOST_BITS, "::/80"},
        {"::ffff:10.0.0.1/104", NETWORK_HOST_BITS, "10.0.0.0/8"},
        {"10.0.0.0/33", NETWORK_BITS, NULL},
        {"::/129", NETWORK_BITS, NULL},
        {"10.0.0.0/", NETWORK_BITS, NULL},
        {"10.0.0.0/-1", NETWORK_BITS, NULL},
        {"10.0.0.0/8/8", NETWORK_BITS, NULL},
        {"10.0.0.0/255.0.0.0", NETWORK_BITS, NULL},
        {"10.0.0.0/0008", NETWORK_BITS, NULL},
        {"", NETWORK_NO_ADDRESS, NULL},
        {"/8", NETWORK_NO_ADDRESS, NULL},
        {"10/8", NETWORK_NO_ADDRESS, NULL},
        {"lb.example.com", NETWORK_NO_ADDRESS, NULL},
        {"10.0.0.0 /8", NETWORK_NO_ADDRESS, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network network;
        char text[NETWORK_TEXT];
        assert_int_equal(network_parse(slice_of(cases[i].text), &network), cases[i].fault);
        if (!cases[i].read)
            continue;
        network_text(&network, text);
        assert_string_equal(text, cases[i].read);
    }
}

static bool holds(const char *list, const char *address) {
    struct network network;
    struct ip one = ip(address);
    assert_int_equal(network_parse(slice_of(list), &network), NETWORK_FINE);
    return network_holds(&network, &one);
}

static void who_is_in(void **state) {
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_false(holds("10.0.0.0/8", "9.255.255.255"));
    assert_true(holds("192.168.1.128/25", "192.168.1.200"));
    assert_false(holds("192.168.1.128/25", "192.168.1.127"));
    assert_true(holds("10.0.0.1", "10.0.0.1"));
    assert_false(holds("10.0.0.1", "10.0.0.0"));
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(holds("::/0", "fe80::1"));
    assert_false(holds("::/0", "10.0.0.1"));
    assert_false(holds("::/0", "::ffff:10.0.0.1"));
    assert_false(holds("0.0.0.0/0", "::1"));
}

// Every bit, by counting: an address is in a network of n bits exactly when its first n bits are the same.
static void every_number_of_bits(void **state) {
    (void)state;
    for (unsigned flipped = 0; flipped < 128; flipped++) {
        struct ip other = {.family = IP_6};
        other.bytes[flipped / 8] = (unsigned char)(0x80 >> flipped % 8);
        for (unsigned bits = 0; bits <= 128; bits++) {
            struct network network = {{.family = IP_6}, bits};
            assert_int_equal(network_holds(&network, &other), flipped >= bits);
        }
    }
}

static void lists(void **state) {
    (void)state;
    struct network items[2];
    struct network_list list = {items, 2, false}, none = {NULL, 0, false};
    struct ip local = {.family = IP_LOCAL}, four = ip("10.1.1.1"), six = ip("2001:db8::9"),
              other = ip("192.0.2.1");
    network_parse(SLICE("10.0.0.0/8"), &items[0]);
    network_parse(SLICE("2001:db8::/32"), &items[1]);
    assert_true(network_list_holds(&list, &four));
    assert_true(network_list_holds(&list, &six));
    assert_false(network_list_holds(&list, &other));
    assert_false(network_list_holds(&list, &local));
    list.local = true;
    assert_true(network_list_holds(&list, &local));
    assert_false(network_list_holds(&none, &four));
    char text[IP_TEXT];
    assert_int_equal(ip_text(&local, text), 4);
    assert_string_equal(text, "unix");
}

int test_network(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(networks),
        cmocka_unit_test(who_is_in), cmocka_unit_test(every_number_of_bits),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}

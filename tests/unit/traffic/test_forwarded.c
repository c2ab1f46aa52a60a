#include "request.h"
#include "traffic/forwarded.h"
#include "unit.h"

#define TRUSTED "10.0.0.0/8 2001:db8::/32 unix"
#define HEAD    "GET / HTTP/1.1\nHost: h"

static struct network items[8];

static struct network_list list_of(const char *text) {
    struct network_list list = {items, 0, false};
    struct slice rest = slice_of(text);
    while (rest.at) {
        struct slice word = slice_cut(&rest, ' ');
        if (slice_equal(word, SLICE("unix")))
            list.local = true;
        else if (word.len)
            assert_int_equal(network_parse(word, &items[list.count++]), NETWORK_FINE);
    }
    return list;
}

static void the_chain_is_walked_from_its_end(void **state) {
    (void)state;
    static const struct {
        const char *trusted, *peer, *lines, *client;
    } cases[] = {
        // a peer that is not trusted says nothing
        {"", "192.0.2.1", "\nX-Forwarded-For: 6.6.6.6", "192.0.2.1"},
        {TRUSTED, "192.0.2.1", "\nX-Forwarded-For: 6.6.6.6", "192.0.2.1"},
        {"10.0.0.0/8", "unix", "\nX-Forwarded-For: 6.6.6.6", "unix"},
        // a trusted one does
        {TRUSTED, "10.0.0.1", "", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1", "192.0.2.1"},
        {TRUSTED, "unix", "\nX-Forwarded-For: 192.0.2.1", "192.0.2.1"},
        {TRUSTED, "unix", "", "unix"},
        {TRUSTED, "2001:db8::1", "\nX-Forwarded-For: 2001:0db8::2, 2001:DB9::7", "2001:db9::7"},
        // what stands before the first that is not trusted is that one's own invention
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 6.6.6.6, 192.0.2.1", "192.0.2.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2", "192.0.2.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 10.0.0.9, 192.0.2.1,10.0.0.2,  10.0.0.3 ", "192.0.2.1"},
        // all are trusted: the first
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3"},
        // several lines are one list
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1\nX: y\nX-Forwarded-For: 10.0.0.2", "192.0.2.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 6.6.6.6\nx-forwarded-for: 192.0.2.1", "192.0.2.1"},
        // empty elements say nothing
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For:", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, , ,\nX-Forwarded-For: ", "192.0.2.1"},
        // ports and brackets are taken off
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1:8080", "192.0.2.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: [2001:db9::1]", "2001:db9::1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, [2001:db8::1]:65535", "192.0.2.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: ::ffff:192.0.2.1, ::ffff:10.0.0.7", "192.0.2.1"},
        // a malformed one ends the walk
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, unknown", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, _hidden, 10.0.0.2", "10.0.0.2"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, \"10.0.0.2\"", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, 10.0.0.2:x", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, 10.0.0.2:65536", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, 10.0.0.2:", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, [10.0.0.2]", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, [2001:db8::1", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, [2001:db8::1]80", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, []", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1 10.0.0.2", "10.0.0.1"},
        {TRUSTED, "10.0.0.1", "\nX-Forwarded-For: 192.0.2.1, unix", "10.0.0.1"},
        // nothing else is the chain
        {TRUSTED, "10.0.0.1", "\nX_Forwarded_For: 192.0.2.1\nForwarded: for=192.0.2.1\nX-Real-IP: 192.0.2.1",
         "10.0.0.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network_list list = list_of(cases[i].trusted);
        struct ip peer = {.family = IP_LOCAL};
        struct request request;
        char lines[512], text[IP_TEXT];
        bool local = strcmp(cases[i].peer, "unix") == 0;
        assert_true(local || ip_parse(slice_of(cases[i].peer), &peer));
        strcpy(lines, HEAD);
        strcat(lines, cases[i].lines);
        request_open(&request, lines, NULL);
        struct ip client = forwarded_client(&request.head, &peer, &list);
        ip_text(&client, text);
        if (strcmp(text, cases[i].client) != 0)
            print_error("%s from %s\n", cases[i].lines, cases[i].peer);
        assert_string_equal(text, cases[i].client);
        request_close(&request);
    }
}

static void lines_are_joined_in_order(void **state) {
    (void)state;
    struct request request;
    struct strbuf chain = {0};
    request_open(&request, HEAD "\nX-Forwarded-For: a, b\nX: y\nX-Forwarded-For: \nX-FORWARDED-FOR: c", NULL);
    forwarded_chain(&request.head, &chain);
    assert_string_equal(strbuf_text(&chain), "a, b, c");
    request_close(&request);
    strbuf_clear(&chain);
    request_open(&request, HEAD, NULL);
    forwarded_chain(&request.head, &chain);
    assert_int_equal(chain.len, 0);
    request_close(&request);
    strbuf_free(&chain);
}

static void expect_field(struct slice (*read)(const struct head *head), const char *lines,
                         const char *value) {
    struct request request;
    request_open(&request, lines, NULL);
    struct slice got = read(&request.head);
    if (value)
        assert_true(slice_equal(got, slice_of(value)));
    else
        assert_null(got.at);
    request_close(&request);
}

static void only_sane_schemes_and_hosts_are_kept(void **state) {
    (void)state;
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: https", "https");
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: HTTP", "http");
    expect_field(forwarded_proto, HEAD, NULL);
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: ", NULL);
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: ftp", NULL);
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: https,http", NULL);
    expect_field(forwarded_proto, HEAD "\nX-Forwarded-Proto: https\nX-Forwarded-Proto: http", NULL);
    expect_field(forwarded_proto, HEAD "\nX_Forwarded_Proto: https", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: api.example.com:8443", "api.example.com:8443");
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: [2001:db8::1]:80", "[2001:db8::1]:80");
    expect_field(forwarded_host, HEAD, NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: ", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: a b", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: a, b", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: a/../b", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: \"><script>", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: user@a", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: a:65536", NULL);
    expect_field(forwarded_host, HEAD "\nX-Forwarded-Host: a\nX-Forwarded-Host: a", NULL);
}

int test_forwarded(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_is_walked_from_its_end),
        cmocka_unit_test(lines_are_joined_in_order),
        cmocka_unit_test(only_sane_schemes_and_hosts_are_kept),
    };
    return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}

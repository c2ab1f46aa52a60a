#include "http/uri.h"
#include "unit.h"

static void assert_slice(struct slice got, const char *want) {
    if (!slice_equal(got, slice_of(want)))
        fail_msg("%.*s instead of %s", (int)got.len, got.at, want);
}

static void splits_targets(void **state) {
    (void)state;
    static const struct {
        const char *target, *authority, *path, *path_only, *query;
    } cases[] = {
        {"/", "", "/", "/", ""},
        {"/a/b?c=d?e", "", "/a/b?c=d?e", "/a/b", "c=d?e"},
        {"/a?", "", "/a?", "/a", ""},
        {"//x/y", "", "//x/y", "//x/y", ""},
        {"*", "", "*", "*", ""},
        {"http://h:80/a?b", "h:80", "/a?b", "/a", "b"},
        {"HttpS://[::1]", "[::1]", "/", "/", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct uri uri;
        assert_true(uri_split(slice_of(cases[i].target), &uri));
        assert_slice(uri.authority, cases[i].authority);
        assert_slice(uri.path, cases[i].path);
        assert_slice(uri.path_only, cases[i].path_only);
        assert_slice(uri.query, cases[i].query);
    }
    static const char *const bad[] = {"",          "a",          "**",       "a:80",
                                      "?q",        "http:",      "http://",  "http:///a",
                                      "http://?a", "http://h?a", "ftp://h/", "https:/h"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct uri uri;
        assert_false(uri_split(slice_of(bad[i]), &uri));
    }
}

static void normalises_paths(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"/", "/"},
        {"/a/b", "/a/b"},
        {"*", "*"},
        {"/a?b/../c", "/a"},
        {"/.", "/"},
        {"/..", "/"},
        {"/./", "/"},
        {"/../a", "/a"},
        {"/a/.", "/a/"},
        {"/a/..", "/"},
        {"/a/./b/../../c/./d.html", "/c/d.html"},
        {"/a/b/c/./../../g", "/a/g"},
        {"/a/../../../b", "/b"},
        {"/...", "/..."},
        {"/.a/..b/c..", "/.a/..b/c.."},
        {"//a//b", "//a//b"},
        {"/a//../b", "/a/b"},
        {"/%61%2D%7e", "/a-~"},
        {"/%2e%2e/%2E/a", "/a"},
        {"/a%2fb%2Fc", "/a%2Fb%2Fc"},
        {"/a/..%2f..", "/a/..%2F.."},
        {"/%", "/%"},
        {"/%4", "/%4"},
        {"/%4x%61", "/%4xa"},
        {"/%2561", "/%2561"},
        {"/%c3%a4", "/%C3%A4"},
    };
    struct arena arena;
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_slice(uri_normal_path(slice_of(cases[i][0]), &arena), cases[i][1]);
    struct slice plain = SLICE("/v1/chat/completions");
    assert_ptr_equal(uri_normal_path(plain, &arena).at, plain.at); // not copied
    arena_free(&arena);
}

static void finds_parameters(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 1024);
    struct slice query = SLICE("a=1&user=al%20b%2B+c&&b&user=second&%75id=x%zz%&e=");
    assert_slice(uri_query_value(query, SLICE("a"), &arena), "1");
    assert_slice(uri_query_value(query, SLICE("user"), &arena), "al b+ c");
    assert_slice(uri_query_value(query, SLICE("uid"), &arena), "x%zz%");
    assert_true(uri_query_value(query, SLICE("b"), &arena).at != NULL);
    assert_int_equal(uri_query_value(query, SLICE("b"), &arena).len, 0);
    assert_true(uri_query_value(query, SLICE("e"), &arena).at != NULL);
    assert_null(uri_query_value(query, SLICE("use"), &arena).at);
    assert_null(uri_query_value(query, SLICE("userx"), &arena).at);
    assert_null(uri_query_value(query, SLICE(""), &arena).at);
    assert_null(uri_query_value(slice_of(NULL), SLICE("a"), &arena).at);
    arena_free(&arena);
}

static void reads_hosts(void **state) {
    (void)state;
    static const char *const good[][2] = {
        {"a", "a"},
        {"a.b:80", "a.b"},
        {"a:", "a"},
        {"1.2.3.4:0", "1.2.3.4"},
        {"[::1]", "::1"},
        {"[2001:db8::7]:65535", "2001:db8::7"},
        {"[::ffff:1.2.3.4]:", "::ffff:1.2.3.4"},
        {"a%20b", "a%20b"},
    };
    struct slice host;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(uri_host(slice_of(good[i][0]), &host));
        assert_slice(host, good[i][1]);
    }
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "a:b",
                                      "a:-1",
                                      "a:65536",
                                      "a:000080",
                                      "a b",
                                      "a@b",
                                      "a/b",
                                      "a,b",
                                      "[",
                                      "[]",
                                      "[::1",
                                      "[::1]80",
                                      "[::1%eth0]",
                                      "[v1.a]",
                                      "::1",
                                      "a%",
                                      "a%2",
                                      "a%g0",
                                      "a\"b",
                                      "[1:2:3:4:5:6:7:8:9]",
                                      "[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (uri_host(slice_of(bad[i]), &host))
            fail_msg("accepted: %s", bad[i]);
    assert_false(uri_host(slice_of(NULL), &host));
}

int test_uri(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_targets),
        cmocka_unit_test(normalises_paths),
        cmocka_unit_test(finds_parameters),
        cmocka_unit_test(reads_hosts),
    };
    return cmocka_run_group_tests_name("uri", tests, NULL, NULL);
}

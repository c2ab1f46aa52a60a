#include "http/cookie.h"
#include "message.h"
#include "unit.h"

static struct head head;

static void assert_cookie(const char *name, const char *want) {
    struct slice got = cookie_find(&head, slice_of(name));
    assert_non_null(got.at);
    if (!slice_equal(got, slice_of(want)))
        fail_msg("%s: %.*s instead of %s", name, (int)got.len, got.at, want);
}

static void finds_cookies(void **state) {
    (void)state;
    message_must_read(
        SLICE("GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=\"2\";c=x=y ;empty=;; novalue; a=9\r\n"
              "X-Cookie: z=1\r\nCookie: later = 5; q=\"\r\n\r\n"),
        &head);
    assert_cookie("a", "1");
    assert_cookie("b", "2");
    assert_cookie("c", "x=y");
    assert_cookie("empty", "");
    assert_cookie("later", "5");
    assert_cookie("q", "\"");
    assert_null(cookie_find(&head, SLICE("A")).at);
    assert_null(cookie_find(&head, SLICE("novalue")).at);
    assert_null(cookie_find(&head, SLICE("z")).at);
    message_must_read(SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), &head);
    assert_null(cookie_find(&head, SLICE("a")).at);
}

static void writes_cookies(void **state) {
    (void)state;
    struct strbuf out = {0};
    assert_true(cookie_set(&out, SLICE("u"), SLICE("ab.c_1"), 3600, false));
    assert_string_equal(strbuf_text(&out),
                        "Set-Cookie: u=ab.c_1; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax\r\n");
    strbuf_clear(&out);
    assert_true(cookie_set(&out, SLICE("u"), SLICE(""), 0, true));
    assert_string_equal(strbuf_text(&out),
                        "Set-Cookie: u=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure\r\n");
    strbuf_clear(&out);
    static const char *const bad_values[] = {"a b", "a;b", "a,b", "a\"", "a\\", "a\r\nX: y", "\x7f", "\xe4"};
    for (size_t i = 0; i < sizeof bad_values / sizeof *bad_values; i++)
        assert_false(cookie_set(&out, SLICE("u"), slice_of(bad_values[i]), 1, false));
    static const char *const bad_names[] = {"", "a b", "a=b", "a;", "\xe4"};
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++)
        assert_false(cookie_set(&out, slice_of(bad_names[i]), SLICE("x"), 1, false));
    assert_int_equal(out.len, 0);
    strbuf_free(&out);
}

int test_cookie(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_cookies), cmocka_unit_test(writes_cookies)};
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}

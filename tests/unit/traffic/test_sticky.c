#include "base/strbuf.h"
#include "request.h"
#include "traffic/sticky.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

// The text of the unit (freed by the caller) and its source.
static char *unit_of(const struct sticky_config *sticky, const char *lines, const char *body,
                     enum unit_source *source) {
    struct request request;
    request_open(&request, lines, body);
    struct unit unit = sticky_unit(sticky, &request.view);
    *source = unit.source;
    char *text = unit.value.at ? strndup(unit.value.at, unit.value.len) : strdup("");
    request_close(&request);
    return text;
}

static void check_unit(const struct sticky_config *sticky, const char *lines, const char *body,
                       enum unit_source want_source, const char *want) {
    enum unit_source source;
    char *text = unit_of(sticky, lines, body, &source);
    if (source != want_source || strcmp(text, want) != 0)
        fail_msg("source %d unit `%s`, not %d `%s`, of %s", source, text, want_source, want, lines);
    free(text);
}

static struct sticky_config by_one(enum unit_source kind, const char *name) {
    static struct sticky_source source;
    source = (struct sticky_source){kind, name};
    return (struct sticky_config){.by = &source, .by_count = 1, .salt = "s"};
}

static void each_source(void **state) {
    (void)state;
    struct sticky_config sticky = by_one(UNIT_HEADER, "X-User-Id");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nx-user-id:  alice ", NULL, UNIT_HEADER, "alice");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nX-User-Id:\nX-User-Id: bob", NULL, UNIT_HEADER, "bob");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nX-User-Id:", NULL, UNIT_RANDOM, "");
    sticky = by_one(UNIT_COOKIE, "session");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: a=1; session=s42; b=2", NULL, UNIT_COOKIE, "s42");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: xsession=s42", NULL, UNIT_RANDOM, "");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: session=", NULL, UNIT_RANDOM, "");
    sticky = by_one(UNIT_QUERY, "user");
    check_unit(&sticky, "GET /?x=1&user=a%20b+c HTTP/1.1\nHost: h", NULL, UNIT_QUERY, "a b c");
    check_unit(&sticky, "GET /?user= HTTP/1.1\nHost: h", NULL, UNIT_RANDOM, "");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h", NULL, UNIT_RANDOM, "");
    sticky = by_one(UNIT_CLIENT_IP, NULL);
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h", NULL, UNIT_CLIENT_IP, "203.0.113.9");
    sticky = by_one(UNIT_JSON, "/user/id");
    check_unit(&sticky, "POST / HTTP/1.1\nHost: h", "{\"user\":{\"id\":\"u\\u00e9\"}}", UNIT_JSON,
               "u\xc3\xa9");
    check_unit(&sticky, "POST / HTTP/1.1\nHost: h", "{\"user\":{\"id\":4711}}", UNIT_JSON, "4711");
    const char *absent[] = {"{\"user\":{\"id\":null}}",
                            "{\"user\":{\"id\":true}}",
                            "{\"user\":{\"id\":[1]}}",
                            "{\"user\":{\"id\":\"\"}}",
                            "{}",
                            "x",
                            "",
                            NULL};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        check_unit(&sticky, "POST / HTTP/1.1\nHost: h", absent[i], UNIT_RANDOM, "");
}

// Payload of {"sub":"alice","uid":42,"https://x.test/a~b":"ns","no":null} and others, base64url.
#define ALICE "eyJzdWIiOiJhbGljZSIsInVpZCI6NDIsImh0dHBzOi8veC50ZXN0L2F-YiI6Im5zIiwibm8iOm51bGx9"
static void claims(void **state) {
    (void)state;
    const struct {
        const char *claim, *authorization, *want;
    } cases[] = {
        {"sub", "Bearer e30." ALICE ".sig", "alice"},
        {"sub", "bearer  e30." ALICE ".sig", "alice"},
        {"sub", "Bearer e30." ALICE ".", "alice"}, // unsigned: nothing is verified
        {"uid", "Bearer e30." ALICE ".sig", "42"},
        {"https://x.test/a~b", "Bearer e30." ALICE ".sig", "ns"},
        {"no", "Bearer e30." ALICE ".sig", ""},
        {"none", "Bearer e30." ALICE ".sig", ""},
        {"sub", "Bearer e30.eyJzdWIiOiI_PyJ9.sig", "??"}, // - and _ are the alphabet's last two
        {"sub", "Bearer e30.eyJzdWIiOiI/PyJ9.sig", ""},   // + and / are another alphabet's
        {"sub", "Bearer e30.eyJzdWIiOiJhIn0=.sig", "a"},
        {"sub", "Bearer e30.eyJzdWIiOiJhIn0.sig", "a"},
        {"sub", "Bearer e30.e.sig", ""},
        {"0", "Bearer e30.WzFd.sig", ""},                       // [1] has no claims
        {"sub", "Bearer e30.IAkNCnsic3ViIjoid3MifQ.sig", "ws"}, // white space before the object
        {"sub", "Bearer e30.IAo.sig", ""},                      // nothing but that
        {"sub", "Bearer e30.AHsic3ViIjoiYSJ9.sig", ""},         // a zero byte is none
        {"sub", "Bearer e30.eyJzdWIiOiJhIn{.sig", ""},          // past the alphabet
        {"sub", "Bearer e30..sig", ""},
        {"sub", "Bearer e30.====.sig", ""},
        {"sub", "Bearer e30." ALICE, ""}, // two parts
        {"sub", "Bearer opaque", ""},
        {"sub", "Bearer", ""},
        {"sub", "Basic e30." ALICE ".sig", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char lines[512] = "GET / HTTP/1.1\nHost: h\nAuthorization: ";
        strcat(lines, cases[i].authorization);
        struct sticky_config sticky = by_one(UNIT_JWT, cases[i].claim);
        check_unit(&sticky, lines, NULL, *cases[i].want ? UNIT_JWT : UNIT_RANDOM, cases[i].want);
    }
    struct sticky_config sticky = by_one(UNIT_JWT, "sub");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h", NULL, UNIT_RANDOM, "");
}

// 20,000 characters of payload are past the bound, 16,000 are not.
static void payload_is_bounded(void **state) {
    (void)state;
    for (int spaces = 3000; spaces <= 4000; spaces += 1000) {
        struct strbuf lines = {0};
        strbuf_literal(&lines, "GET / HTTP/1.1\nHost: h\nAuthorization: Bearer e30.eyJzdWIiOiJhIn0g");
        for (int i = 0; i < spaces * 5 / 4; i++)
            strbuf_literal(&lines, "ICAg"); // three spaces after the object
        strbuf_literal(&lines, ".sig");
        struct sticky_config sticky = by_one(UNIT_JWT, "sub");
        bool fits = spaces == 3000;
        check_unit(&sticky, strbuf_text(&lines), NULL, fits ? UNIT_JWT : UNIT_RANDOM, fits ? "a" : "");
        strbuf_free(&lines);
    }
}

static void first_present_source_wins(void **state) {
    (void)state;
    struct sticky_source by[] = {{UNIT_HEADER, "X-User"}, {UNIT_QUERY, "user"}, {UNIT_CLIENT_IP, NULL}};
    struct sticky_config sticky = {.by = by, .by_count = 3, .cookie = "sluice_unit", .salt = "s"};
    check_unit(&sticky, "GET /?user=q HTTP/1.1\nHost: h\nX-User: u", NULL, UNIT_HEADER, "u");
    check_unit(&sticky, "GET /?user=q HTTP/1.1\nHost: h\nX-User:", NULL, UNIT_QUERY, "q");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: sluice_unit=c", NULL, UNIT_CLIENT_IP,
               "203.0.113.9");
    sticky.by_count = 2;
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: sluice_unit=c", NULL, UNIT_ISSUED, "c");
    check_unit(&sticky, "GET /?user=q HTTP/1.1\nHost: h\nCookie: sluice_unit=c", NULL, UNIT_QUERY, "q");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: sluice_unit=c~v~00000000", NULL, UNIT_ISSUED, "c");
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: sluice_unit=~v~00000000", NULL, UNIT_RANDOM, "");
    sticky.cookie = NULL;
    check_unit(&sticky, "GET / HTTP/1.1\nHost: h\nCookie: sluice_unit=c", NULL, UNIT_RANDOM, "");
}

static void body_need(void **state) {
    (void)state;
    struct sticky_source by[] = {{UNIT_HEADER, "X-User"}, {UNIT_JSON, "/user"}};
    struct sticky_config sticky = {.by = by, .by_count = 2, .salt = "s"};
    struct request request;
    request_open(&request, "POST / HTTP/1.1\nHost: h\nX-User: u", NULL);
    assert_false(sticky_needs_body(&sticky, &request.view));
    by[0].name = "X-Other";
    assert_true(sticky_needs_body(&sticky, &request.view));
    sticky.by_count = 1;
    assert_false(sticky_needs_body(&sticky, &request.view));
    request_close(&request);
}

static void cookies_are_read_strictly(void **state) {
    (void)state;
    struct pin pin = sticky_read_cookie(SLICE("u-1~canary~0a1b2c3d"));
    assert_true(slice_equal(pin.unit, SLICE("u-1")));
    assert_true(slice_equal(pin.variant, SLICE("canary")));
    assert_true(slice_equal(pin.stamp, SLICE("0a1b2c3d")));
    const char *unit_only[] = {"u", "A.b_c-9", "u~", "u~v", "u~v~", "u~~s", "u~v~s~x"};
    for (size_t i = 0; i < sizeof unit_only / sizeof *unit_only; i++) {
        pin = sticky_read_cookie(slice_of(unit_only[i]));
        assert_non_null(pin.unit.at);
        assert_null(pin.variant.at);
        assert_null(pin.stamp.at);
    }
    const char *nothing[] = {"",    "~v~s", "a b", "a,b",      "a=b", "a[b",  "a`b",
                             "a{b", "a@b",  "a:b", "\xc3\xa9", "a/b", "a%20", NULL};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        assert_null(sticky_read_cookie(slice_of(nothing[i])).unit.at);
    char text[130];
    memset(text, 'x', sizeof text);
    assert_non_null(sticky_read_cookie(slice_make(text, 128)).unit.at);
    assert_null(sticky_read_cookie(slice_make(text, 129)).unit.at);
}

static void stamps_tell_versions_apart(void **state) {
    (void)state;
    struct variant_config variant = {.name = "canary", .version = "v1"};
    char stamp[5][9];
    sticky_stamp(&variant, stamp[0]);
    assert_int_equal(strspn(stamp[0], "0123456789abcdef"), 8);
    assert_int_equal(stamp[0][8], '\0');
    variant.version = "v2";
    sticky_stamp(&variant, stamp[1]);
    variant.version = NULL;
    sticky_stamp(&variant, stamp[2]);
    variant.name = "canaryv1"; // not as if name and version were one text
    sticky_stamp(&variant, stamp[3]);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(stamp[i], stamp[j]);
    variant = (struct variant_config){.name = "canary", .version = "v1", .weight = 7};
    sticky_stamp(&variant, stamp[4]);
    assert_string_equal(stamp[4], stamp[0]);
}

int test_sticky(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_source),
        cmocka_unit_test(claims),
        cmocka_unit_test(payload_is_bounded),
        cmocka_unit_test(first_present_source_wins),
        cmocka_unit_test(body_need),
        cmocka_unit_test(cookies_are_read_strictly),
        cmocka_unit_test(stamps_tell_versions_apart),
    };
    return cmocka_run_group_tests_name("sticky", tests, NULL, NULL);
}

#include "../../../src/control/access.h"
#include "unit.h"

#include <string.h>

static void a_token_must_match_whatever_the_peer(void **state) {
    (void)state;
    static const struct {
        const char *authorization;
        enum access_verdict expected;
    } cases[] = {
        {NULL, ACCESS_TOKEN_MISSING},
        {"", ACCESS_TOKEN_MISSING},
        {"Bearer", ACCESS_TOKEN_MISSING},
        {"Basic secret", ACCESS_TOKEN_MISSING},
        {"secret", ACCESS_TOKEN_MISSING},
        {"Bearer ", ACCESS_TOKEN_MISSING},
        {"Bearer secre", ACCESS_TOKEN_WRONG},
        {"Bearer secrett", ACCESS_TOKEN_WRONG},
        {"Bearer secretsecret", ACCESS_TOKEN_WRONG},
        {"Bearer Secret", ACCESS_TOKEN_WRONG},
        {"Bearer secret", ACCESS_ALLOWED},
        {"bearer  secret", ACCESS_ALLOWED},
    };
    for (int peer = ACCESS_PEER_UNIX; peer <= ACCESS_PEER_REMOTE; peer++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct access_call call = {.peer = (enum access_peer)peer,
                                       .authorization = cases[i].authorization};
            assert_int_equal(access_judge(&call, "secret"), cases[i].expected);
        }
    }
}

static void without_a_token_only_from_here(void **state) {
    (void)state;
    struct access_call call = {.peer = ACCESS_PEER_REMOTE, .host = "10.0.0.1:9901"};
    assert_int_equal(access_judge(&call, NULL), ACCESS_NOT_LOCAL);
    call.authorization = "Bearer anything";
    assert_int_equal(access_judge(&call, NULL), ACCESS_NOT_LOCAL);
    call.peer = ACCESS_PEER_UNIX;
    call.host = "whatever";
    assert_int_equal(access_judge(&call, NULL), ACCESS_ALLOWED);
}

static void a_name_pointed_at_this_machine_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *host;
        enum access_verdict expected;
    } cases[] = {
        {"127.0.0.1:9901", ACCESS_ALLOWED},
        {"127.0.0.1", ACCESS_ALLOWED},
        {"localhost:9901", ACCESS_ALLOWED},
        {"LOCALHOST", ACCESS_ALLOWED},
        {"[::1]:9901", ACCESS_ALLOWED},
        {"[::1]", ACCESS_ALLOWED},
        {"evil.example", ACCESS_FOREIGN_HOST},
        {"127.0.0.1.evil.example:9901", ACCESS_FOREIGN_HOST},
        {"localhost.evil.example", ACCESS_FOREIGN_HOST},
        {"", ACCESS_FOREIGN_HOST},
        {NULL, ACCESS_FOREIGN_HOST},
        {"[evil]:1", ACCESS_FOREIGN_HOST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct access_call call = {.peer = ACCESS_PEER_LOOPBACK, .host = cases[i].host};
        assert_int_equal(access_judge(&call, NULL), cases[i].expected);
    }
}

static void a_foreign_page_changes_nothing(void **state) {
    (void)state;
    struct access_call call = {.peer = ACCESS_PEER_LOOPBACK,
                               .host = "127.0.0.1:9901",
                               .origin = "http://evil.example",
                               .content_type = "application/json"};
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
    call.origin = "null"; // a sandboxed frame
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
    call.origin = "https://127.0.0.1:9901"; // another scheme is another origin
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
    call.secure = true;
    call.content_type = NULL;
    assert_int_equal(access_judge(&call, NULL), ACCESS_CONTENT_TYPE);
    call.content_type = "application/json";
    assert_int_equal(access_judge(&call, NULL), ACCESS_ALLOWED);
    call.origin = "http://127.0.0.1:9901";
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
    call.secure = false;
    call.origin = "http://127.0.0.1:8000"; // another port too
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
    call.origin = NULL;
    call.fetch_site = "cross-site";
    assert_int_equal(access_judge(&call, NULL), ACCESS_FOREIGN_ORIGIN);
}

static void our_own_page_may_with_json(void **state) {
    (void)state;
    struct access_call call = {.peer = ACCESS_PEER_LOOPBACK,
                               .host = "127.0.0.1:9901",
                               .origin = "http://127.0.0.1:9901",
                               .fetch_site = "same-origin"};
    assert_int_equal(access_judge(&call, NULL), ACCESS_CONTENT_TYPE);
    call.content_type = "text/plain";
    assert_int_equal(access_judge(&call, NULL), ACCESS_CONTENT_TYPE);
    call.content_type = "application/json; charset=utf-8";
    assert_int_equal(access_judge(&call, NULL), ACCESS_ALLOWED);
}

static void every_verdict_has_words(void **state) {
    (void)state;
    for (int i = ACCESS_ALLOWED; i < ACCESS_VERDICTS; i++) {
        assert_true(strlen(access_message((enum access_verdict)i)) > 5);
        assert_true(strlen(access_reason_name((enum access_verdict)i)) > 5);
    }
}

int test_access(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_must_match_whatever_the_peer),
        cmocka_unit_test(without_a_token_only_from_here),
        cmocka_unit_test(a_name_pointed_at_this_machine_is_refused),
        cmocka_unit_test(a_foreign_page_changes_nothing),
        cmocka_unit_test(our_own_page_may_with_json),
        cmocka_unit_test(every_verdict_has_words),
    };
    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}

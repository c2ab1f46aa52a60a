#include "base/redact.h"
#include "unit.h"

#include <string.h>

static void secret_parameters_are_hidden(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        // NULL: as it is
        {"/", NULL},
        {"", NULL},
        {"*", NULL},
        {"/v1/models", NULL},
        {"/v1?max_tokens=12&user=alice&keyboard=us&monkey=1", NULL},
        {"/v1?token", NULL},
        {"/v1?token=", NULL},
        {"/v1?", NULL},
        {"/token=abc", NULL},
        {"/v1?key=abc", "/v1?key=***"},
        {"/v1?a=1&api_key=abc&b=2", "/v1?a=1&api_key=***&b=2"},
        {"/v1?API-KEY=abc", "/v1?API-KEY=***"},
        {"/v1?x-api-key=abc;token=def", "/v1?x-api-key=***;token=***"},
        {"/v1?api%5Fkey=abc", "/v1?api%5Fkey=***"},
        {"/v1?%6bey=abc", "/v1?%6bey=***"},
        {"/v1?apikey=a=b=c&x", "/v1?apikey=***&x"},
        {"/v1?access_token=abc?def", "/v1?access_token=***"},
        {"/v1?refreshToken=abc&id_token=def", "/v1?refreshToken=***&id_token=***"},
        {"/s3?X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Signature=c",
         "/s3?X-Amz-Credential=***&X-Amz-Date=b&X-Amz-Signature=***"},
        {"/v1?password=a&PassWD=b&client_secret=c&sig=d",
         "/v1?password=***&PassWD=***&client_secret=***&sig=***"},
        {"/cb?code=abc&state=xyz", "/cb?code=***&state=xyz"},
        {"http://a:b@host/x?y=1", "http://***@host/x?y=1"},
        {"http://host/x?mail=a@b", NULL},
        {"http://a@host/?key=b", "http://***@host/?key=***"},
        {"x?key=abc&to=http://a@host", "x?key=***&to=http://a@host"},
        {"x?://a@host", NULL},
        {"x#://a@host", NULL},
        {"a@host?key=b", "***@host?key=***"},
        {"://a@host", "://***@host"},
        {"/%", NULL},
        {"/?%=1&%4=2&key%=3", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = {0};
        assert_int_equal(redact_target(slice_of(cases[i][0]), &out), cases[i][1] != NULL);
        assert_string_equal(strbuf_text(&out), cases[i][1] ? cases[i][1] : "");
        strbuf_free(&out);
    }
}

static void of_urls_only_where_they_lead(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"https://hooks.example.com/services/T0/B0/xyz", "https://hooks.example.com/***"},
        {"https://hooks.example.com", "https://hooks.example.com"},
        {"https://hooks.example.com/", "https://hooks.example.com/"},
        {"https://a:b@hooks.example.com:8443/x", "https://***@hooks.example.com:8443/***"},
        {"https://host?key=1", "https://host/***"},
        {"hooks.internal/step", "hooks.internal/***"},
        {"http://", "http://"},
        {"", ""},
        {"prom:9090", "prom:9090"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct strbuf out = {0};
        redact_url(slice_of(cases[i][0]), &out);
        assert_string_equal(strbuf_text(&out), cases[i][1]);
        strbuf_free(&out);
    }
}

static void quoted_values_become_their_name(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        // text, value, what becomes of it
        {"not \"sk-123456\"", "sk-123456", "not \"${KEY}\""},
        {"sk-123456 and sk-123456", "sk-123456", "${KEY} and ${KEY}"},
        {"cut short: \"sk-1234\"", "sk-123456", "cut short: \"${KEY}\""},
        {"cut short: sk-1234", "sk-123456", "cut short: ${KEY}"},
        {"\"http://other\"", "http://10.0.0.1", "\"http://other\""},
        {"short stays: 12345", "12345", "short stays: 12345"},
        {"nothing in it", "sk-123456", "nothing in it"},
        {"", "sk-123456", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        strcpy(text, cases[i][0]);
        redact_value(text, sizeof text, "KEY", cases[i][1]);
        assert_string_equal(text, cases[i][2]);
    }
}

// The name may be longer than the value.
static void it_never_grows_past_its_room(void **state) {
    (void)state;
    char text[16] = "abcdef abcdef a";
    redact_value(text, sizeof text, "A_LONG_NAME", "abcdef");
    assert_string_equal(text, "${A_LONG_NAME} ");
}

int test_redact(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_parameters_are_hidden),
        cmocka_unit_test(of_urls_only_where_they_lead),
        cmocka_unit_test(quoted_values_become_their_name),
        cmocka_unit_test(it_never_grows_past_its_room),
    };
    return cmocka_run_group_tests_name("redact", tests, NULL, NULL);
}

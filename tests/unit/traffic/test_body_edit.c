// Where edits of a variant go, by API; which bodies they are for.
#include "traffic/body_edit.h"

#include "request.h"
#include "unit.h"

#include <stdio.h>

static void expect_prompt(const char *path, const char *body, const char *expected) {
    struct request_edit_config edit = {.system_prompt = "\"P\""};
    struct strbuf out = {0};
    assert_int_equal(body_edit(&edit, slice_of(path), slice_of(body), &out), REWRITE_DONE);
    assert_string_equal(strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void the_prompt_goes_where_the_api_has_it(void **state) {
    (void)state;
    expect_prompt("/v1/messages", "{\"messages\":[]}", "{\"messages\":[],\"system\":\"P\"}");
    expect_prompt("/v1/messages", "{\"system\":[{\"type\":\"text\"}]}", "{\"system\":\"P\"}");
    expect_prompt("/v1/responses", "{}", "{\"instructions\":\"P\"}");
    expect_prompt("/x/chat/completions", "{\"messages\":[{\"role\":\"system\",\"content\":1}]}",
                  "{\"messages\":[{\"role\":\"system\",\"content\":\"P\"}]}");
    expect_prompt("/x", "{\"messages\":[1]}", "{\"messages\":[{\"role\":\"system\",\"content\":\"P\"},1]}");
    expect_prompt("/x", "{\"messages\":{\"0\":1}}", "{\"messages\":{\"0\":1}}"); // no list: no place
    expect_prompt("/v1/embeddings", "{\"input\":\"x\"}", "{\"input\":\"x\"}");
    expect_prompt("/v1/messages/count_tokens", "{\"input\":\"x\"}", "{\"input\":\"x\"}");
}

static void edits_come_in_their_order(void **state) {
    (void)state;
    const char *removed[] = {"/messages", "/a"};
    struct pointer_config set[] = {{"/messages", "[{\"role\":\"developer\"}]"}, {"/b/c", "{}"}};
    struct request_edit_config edit = {
        .json = {set, 2}, .remove_json = {removed, 2}, .system_prompt = "\"P\""};
    struct strbuf out = {0};
    struct slice body = SLICE("{\"messages\":[1,2],\"a\":0,\"z\":9}");
    assert_int_equal(body_edit(&edit, SLICE("/c"), body, &out), REWRITE_DONE);
    assert_string_equal(
        strbuf_text(&out),
        "{\"z\":9,\"messages\":[{\"role\":\"developer\",\"content\":\"P\"}],\"b\":{\"c\":{}}}");
    strbuf_clear(&out);
    assert_int_equal(body_edit(&edit, SLICE("/c"), SLICE("{\"b\":1}"), &out), REWRITE_NO_PLACE);
    assert_int_equal(body_edit(&edit, SLICE("/c"), SLICE("{"), &out), REWRITE_INVALID);
    assert_int_equal(out.len, 0);
    strbuf_free(&out);
}

static void without_a_prompt_the_fields_alone(void **state) {
    (void)state;
    struct pointer_config set[] = {{"/model", "\"small\""}};
    struct request_edit_config edit = {.json = {set, 1}};
    struct strbuf out = {0};
    assert_int_equal(body_edit(&edit, SLICE("/v1/messages"), SLICE("{\"model\":1,\"messages\":[]}"), &out),
                     REWRITE_DONE);
    assert_string_equal(strbuf_text(&out), "{\"model\":\"small\",\"messages\":[]}");
    strbuf_free(&out);
}

static void what_is_wanted(void **state) {
    (void)state;
    const char *removed[] = {"/a"};
    struct pointer_config set[] = {{"/a", "1"}};
    assert_false(body_edit_wanted(NULL));
    assert_false(body_edit_wanted(&(struct request_edit_config){.remove_headers = {removed, 1}}));
    assert_true(body_edit_wanted(&(struct request_edit_config){.remove_json = {removed, 1}}));
    assert_true(body_edit_wanted(&(struct request_edit_config){.json = {set, 1}}));
    assert_true(body_edit_wanted(&(struct request_edit_config){.system_prompt = "\"\""}));
}

// What body_edit_applies and body_edit_coded say of a head with that line more.
static bool says(bool (*of)(const struct head *head), const char *line) {
    char lines[256];
    snprintf(lines, sizeof lines, "POST / HTTP/1.1\nHost: h%s%s", *line ? "\n" : "", line);
    struct request request;
    request_open(&request, lines, NULL);
    bool said = of(&request.head);
    request_close(&request);
    return said;
}

static void json_is_known_by_its_type(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool json;
    } cases[] = {
        {"", true}, // who does not say is believed to send what the API takes
        {"Content-Type:", true},
        {"Content-Type: ;charset=utf-8", true},
        {"Content-Type: application/json", true},
        {"content-type: Application/JSON", true},
        {"Content-Type: application/json; charset=utf-8", true},
        {"Content-Type: application/json ;charset=utf-8", true},
        {"Content-Type: application/vnd.api+JSON", true},
        {"Content-Type: x+json;a=b", true},
        {"Content-Type: +json", false}, // nothing before it
        {"Content-Type: application/jsonl", false},
        {"Content-Type: application/json, text/plain", false},
        {"Content-Type: text/plain; a=application/json", false},
        {"Content-Type: multipart/form-data; boundary=x+json", false},
        {"Content-Type: json", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (says(body_edit_applies, cases[i].line) != cases[i].json)
            fail_msg("%s: %s", cases[i].json ? "not edited" : "edited", cases[i].line);
}

static void codings_are_not_read(void **state) {
    (void)state;
    static const struct {
        const char *line;
        bool coded;
    } cases[] = {
        {"", false},
        {"Content-Encoding:", false},
        {"Content-Encoding: identity", false},
        {"content-encoding: Identity", false},
        {"Content-Encoding: gzip", true},
        {"Content-Encoding: identity, gzip", true},
        {"Content-Encoding: x", true},
        {"X-Content-Encoding: gzip", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (says(body_edit_coded, cases[i].line) != cases[i].coded)
            fail_msg("%s: %s", cases[i].coded ? "read" : "not read", cases[i].line);
}

static void expect_asked(const char *body, const char *expected) {
    struct strbuf out = {0};
    assert_int_equal(body_edit_ask_usage(slice_of(body), &out), expected != NULL);
    assert_string_equal(strbuf_text(&out), expected ? expected : "");
    strbuf_free(&out);
}

static void streams_are_asked_for_their_tokens(void **state) {
    (void)state;
    expect_asked("{\"stream\":true}", "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    expect_asked("{\"stream\": true, \"stream_options\": {\"x\":1}}",
                 "{\"stream\": true, \"stream_options\": {\"x\":1,\"include_usage\":true}}");
    expect_asked("{\"stream\":true,\"stream_options\":null}",
                 "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    expect_asked("{\"stream\":true,\"stream_options\":{\"include_usage\":false}}",
                 "{\"stream\":true,\"stream_options\":{\"include_usage\":true}}");
    expect_asked("{\"stream\":true,\"stream_options\":{\"include_usage\":true}}", NULL);
    expect_asked("{\"stream\":true,\"stream_options\":7}", NULL);
    expect_asked("{\"stream\":false}", NULL);
    expect_asked("{\"stream\":\"true\"}", NULL);
    expect_asked("{}", NULL);
    expect_asked("[]", NULL);
    expect_asked("{\"stream\":true", NULL);
    assert_true(body_edit_may_stream(SLICE("/v1/chat/completions")));
    assert_true(body_edit_may_stream(SLICE("/v1/completions")));
    assert_false(body_edit_may_stream(SLICE("/v1/messages")));
    assert_false(body_edit_may_stream(SLICE("completions")));
}

int test_body_edit(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prompt_goes_where_the_api_has_it),
        cmocka_unit_test(edits_come_in_their_order),
        cmocka_unit_test(without_a_prompt_the_fields_alone),
        cmocka_unit_test(what_is_wanted),
        cmocka_unit_test(json_is_known_by_its_type),
        cmocka_unit_test(codings_are_not_read),
        cmocka_unit_test(streams_are_asked_for_their_tokens),
    };
    return cmocka_run_group_tests_name("body_edit", tests, NULL, NULL);
}

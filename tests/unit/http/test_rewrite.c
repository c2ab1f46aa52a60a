// Edits of JSON texts: what is expected, byte by byte.
#include "http/rewrite.h"

#include "base/mem.h"
#include "unit.h"

#include <string.h>

static void expect_text(struct slice text, const char *pointer, const char *value, const char *expected) {
    struct strbuf out = {0};
    struct rewrite edit = {.pointer = pointer, .value = value};
    // In memory of its own length: a byte read past the end is found by the sanitizer.
    char *copy = mem_alloc(text.len ? text.len : 1);
    memcpy(copy, text.at, text.len);
    enum rewrite_result result = rewrite(slice_make(copy, text.len), &edit, 1, &out);
    mem_free(copy);
    if (result != REWRITE_DONE || strcmp(strbuf_text(&out), expected) != 0)
        fail_msg("%s of %.*s to %s: %s, %s instead of %s", pointer, (int)text.len, text.at,
                 value ? value : "nothing", rewrite_result_name(result), strbuf_text(&out), expected);
    strbuf_free(&out);
}

static void values_are_edited_where_they_stand(void **state) {
    (void)state;
    static const struct {
        const char *text, *pointer, *value, *expected;
    } cases[] = {
        // set
        {"{\"model\":\"a\"}", "/model", "\"b\"", "{\"model\":\"b\"}"},
        {" {\n  \"model\" : \"a\" ,\t\"n\":1e3 }\r\n", "/model", "\"b\"",
         " {\n  \"model\" : \"b\" ,\t\"n\":1e3 }\r\n"},
        {"{\"a\":{\"b\":[1,2]},\"c\":0}", "/a/b", "null", "{\"a\":{\"b\":null},\"c\":0}"},
        {"{\"a\":{\"b\":[1,2,3]}}", "/a/b/1", "{}", "{\"a\":{\"b\":[1,{},3]}}"},
        {"{\"a\":[{\"b\":1},{\"b\":2}]}", "/a/1/b", "3", "{\"a\":[{\"b\":1},{\"b\":3}]}"},
        {"[1, 2 ,3]", "/0", "9", "[9, 2 ,3]"},
        {"[1,2]", "/-", "3", "[1,2,3]"},
        {"[ ]", "/-", "3", "[3 ]"},
        {"[1 ]", "/1", "2", "[1,2 ]"},
        {"[]", "/0", "2", "[2]"},
        // missing: made
        {"{}", "/a", "1", "{\"a\":1}"},
        {"{ }", "/a", "1", "{\"a\":1 }"},
        {"{\"a\":1 }", "/b", "2", "{\"a\":1,\"b\":2 }"},
        {"{\"a\":1}", "/b/c/d", "2", "{\"a\":1,\"b\":{\"c\":{\"d\":2}}}"},
        {"{\"a\":{}}", "/a/b", "[]", "{\"a\":{\"b\":[]}}"},
        {"{}", "/a~1b/~0", "1", "{\"a/b\":{\"~\":1}}"},
        {"{}", "/say \"x\\", "1", "{\"say \\\"x\\\\\":1}"},
        {"{}", "/\x01\n", "1", "{\"\\u0001\\u000a\":1}"},
        {"{}", "/", "1", "{\"\":1}"},
        {"{\"\":2}", "/", "1", "{\"\":1}"},
        // keys mean what they mean
        {"{\"mod\\u0065l\":1}", "/model", "2", "{\"mod\\u0065l\":2}"},
        {"{\"\\u00e4\":1}", "/\xc3\xa4", "2", "{\"\\u00e4\":2}"},
        {"{\"\xc3\xa4\":1}", "/\xc3\xa4", "2", "{\"\xc3\xa4\":2}"},
        {"{\"\\ud83d\\ude00\":1}", "/\xf0\x9f\x98\x80", "2", "{\"\\ud83d\\ude00\":2}"},
        {"{\"\\u20AC\":1}", "/\xe2\x82\xac", "2", "{\"\\u20AC\":2}"},
        // … and half of a pair is not the whole of it
        {"{\"\\ud83d\":1}", "/\xf0\x9f\x98\x80", "2", "{\"\\ud83d\":1,\"\xf0\x9f\x98\x80\":2}"},
        {"{\"\\ud83dx12345\":1}", "/x", "2", "{\"\\ud83dx12345\":1,\"x\":2}"},
        {"{\"\\ud83d\\n12345\":1}", "/x", "2", "{\"\\ud83d\\n12345\":1,\"x\":2}"},
        {"{\"\\ud83d\\u0041\":1}", "/A", "2", "{\"\\ud83d\\u0041\":1,\"A\":2}"},
        {"{\"~x\":1}", "/~0x", "2", "{\"~x\":2}"},
        {"{\"a\\/b\":1}", "/a~1b", "2", "{\"a\\/b\":2}"},
        {"{\"\\n\":1,\"n\":2}", "/n", "3", "{\"\\n\":1,\"n\":3}"},
        {"{\"~\":1}", "/~0", "2", "{\"~\":2}"},
        {"{\"ab\":1,\"a\":2,\"abc\":3}", "/a", "0", "{\"ab\":1,\"a\":0,\"abc\":3}"},
        {"{\"0\":1}", "/0", "2", "{\"0\":2}"},
        // twice: each
        {"{\"a\":1,\"b\":2,\"a\":3}", "/a", "0", "{\"a\":0,\"b\":2,\"a\":0}"},
        {"{\"a\":{\"b\":1},\"a\":{}}", "/a/b", "0", "{\"a\":{\"b\":0},\"a\":{\"b\":0}}"},
        // every other byte stays
        {"{\"n\":123456789012345678901234567890.10E+005,\"a\":1}", "/a", "2",
         "{\"n\":123456789012345678901234567890.10E+005,\"a\":2}"},
        {"{\"t\":\"\\ud800 \\/ \xff\",\"a\":1}", "/a", "2", "{\"t\":\"\\ud800 \\/ \xff\",\"a\":2}"},
        {"{\"a\":-0.0,\"b\":[true,false,null]}", "/a", "1", "{\"a\":1,\"b\":[true,false,null]}"},
        // remove
        {"{\"a\":1}", "/a", NULL, "{}"},
        {"{ \"a\":1 }", "/a", NULL, "{ }"},
        {"{\"a\":1,\"b\":2}", "/a", NULL, "{\"b\":2}"},
        {"{\"a\":1 , \"b\":2}", "/a", NULL, "{\"b\":2}"},
        {"{\"a\":1,\"b\":2}", "/b", NULL, "{\"a\":1}"},
        {"{\"a\":1 , \"b\":2 }", "/b", NULL, "{\"a\":1 }"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "/b", NULL, "{\"a\":1,\"c\":3}"},
        {"{\"a\":1,\"a\":2,\"b\":3}", "/a", NULL, "{\"b\":3}"},
        {"{\"b\":3,\"a\":1,\"a\":2}", "/a", NULL, "{\"b\":3}"},
        {"{\"a\":1,\"b\":3,\"a\":2}", "/a", NULL, "{\"b\":3}"},
        {"{\"a\":1,\"a\":2}", "/a", NULL, "{}"},
        {"{\"a\":{\"b\":1,\"c\":2}}", "/a/b", NULL, "{\"a\":{\"c\":2}}"},
        {"[1,2,3]", "/0", NULL, "[2,3]"},
        {"[1,2,3]", "/1", NULL, "[1,3]"},
        {"[1,2,3]", "/2", NULL, "[1,2]"},
        {"[1]", "/0", NULL, "[]"},
        // … what is not there
        {"{\"a\":1}", "/b", NULL, "{\"a\":1}"},
        {"{\"a\":1}", "/a/b", NULL, "{\"a\":1}"},
        {"[1]", "/5", NULL, "[1]"},
        {"[1]", "/-", NULL, "[1]"},
        {"7", "/a", NULL, "7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_text(slice_of(cases[i].text), cases[i].pointer, cases[i].value, cases[i].expected);
}

static void expect_refused(struct slice text, const char *pointer, const char *value,
                           enum rewrite_result expected) {
    struct strbuf out = {0};
    struct rewrite edit = {.pointer = pointer, .value = value};
    char *copy = mem_alloc(text.len ? text.len : 1);
    memcpy(copy, text.at, text.len);
    strbuf_literal(&out, "as it was");
    enum rewrite_result result = rewrite(slice_make(copy, text.len), &edit, 1, &out);
    if (result != expected)
        fail_msg("%.*s: %s instead of %s", (int)text.len, text.at, rewrite_result_name(result),
                 rewrite_result_name(expected));
    assert_string_equal(strbuf_text(&out), "as it was");
    strbuf_free(&out);
    mem_free(copy);
}

static void what_is_no_json_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "}",
        "{]",
        "[}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{'a':1}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1}}",
        "{} x",
        "nul",
        "True",
        "truefalse",
        "-",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "Infinity",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "{\"a\":1}{\"a\":1}",
        "/* c */ {}",
        "{\"a\":1,\"a",
        "[[[[",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        expect_refused(slice_of(texts[i]), "/a", "1", REWRITE_INVALID);
        expect_refused(slice_of(texts[i]), "/a/b", NULL, REWRITE_INVALID);
    }
    expect_refused(slice_make("{\"a\0b\":1}", 9), "/a", "1", REWRITE_INVALID);
    expect_refused(slice_make("{\"a\":1}\0", 8), "/a", "1", REWRITE_INVALID);
    expect_refused(slice_make("{\"\\\0\":1}", 8), "/a", "1", REWRITE_INVALID); // a backslash before NUL
}

static void a_place_must_be_one(void **state) {
    (void)state;
    expect_refused(slice_of("{\"a\":1}"), "/a/b", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("\"text\""), "/a", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/2", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/01", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/a", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/+0", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/0x", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/1000000000", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/18446744073709551616", "1", REWRITE_NO_PLACE); // not the first
    expect_refused(slice_of("[1]"), "/1/b", "1", REWRITE_NO_PLACE);
    expect_refused(slice_of("[1]"), "/-/b", "1", REWRITE_NO_PLACE);
}

static void nested(char *text, unsigned depth) {
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    text[2 * depth] = '\0';
}

static void depth_is_bounded(void **state) {
    (void)state;
    char *text = mem_alloc(200001);
    nested(text, 128);
    expect_text(slice_of(text), "/5", NULL, text);
    nested(text, 128 + 1);
    expect_refused(slice_of(text), "/5", NULL, REWRITE_TOO_DEEP);
    nested(text, 100000);
    expect_refused(slice_of(text), "/5", NULL, REWRITE_TOO_DEEP);
    mem_free(text);
}

static void several_edits_follow_each_other(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct rewrite edits[] = {{"/model", "\"b\"", false},
                              {"/temperature", "0.1", false},
                              {"/n", NULL, false},
                              {"/x/y", "1", false},
                              {"/x/z", "2", false}};
    struct slice text = slice_of("{\"model\": \"a\", \"n\": 2, \"messages\": []}");
    strbuf_literal(&out, "> ");
    assert_int_equal(rewrite(text, edits, 5, &out), REWRITE_DONE);
    assert_string_equal(strbuf_text(&out),
                        "> {\"model\": \"b\", \"messages\": [],\"temperature\":0.1,\"x\":{\"y\":1,\"z\":2}}");
    strbuf_clear(&out);
    assert_int_equal(rewrite(text, NULL, 0, &out), REWRITE_DONE);
    assert_true(slice_equal(strbuf_as_slice(&out), text));
    assert_int_equal(rewrite(slice_of("{"), NULL, 0, &out), REWRITE_INVALID);
    strbuf_free(&out);
}

// Whatever is cut off is refused, whole.
static void every_front_is_refused(void **state) {
    (void)state;
    static const char text[] = "{\"m\\u00e4\":[1.5e-3,\"\\ud83d\\ude00\",{\"a\":null}],\"t\":true}";
    for (size_t len = 0; len < sizeof text - 1; len++)
        expect_refused(slice_make(text, len), "/t", "1", REWRITE_INVALID);
    expect_text(slice_of(text), "/t", "1", "{\"m\\u00e4\":[1.5e-3,\"\\ud83d\\ude00\",{\"a\":null}],\"t\":1}");
}

static void a_mebibyte_keeps_its_bytes(void **state) {
    (void)state;
    struct strbuf text = {0}, expected = {0}, out = {0};
    strbuf_literal(&text, "{\"messages\":[");
    for (int i = 0; text.len < 1 << 20; i++)
        strbuf_format(&text, "%s{\"role\":\"user\",\"content\":\"\\\"%d\\u20ac\xe2\x82\xac\"}", i ? "," : "",
                      i);
    strbuf_literal(&text, "],\"model\":\"a\"}");
    strbuf_slice(&expected, slice_make(text.at, text.len - 4));
    strbuf_literal(&expected, "\"b\"}");
    assert_int_equal(
        rewrite(strbuf_as_slice(&text), &(struct rewrite){.pointer = "/model", .value = "\"b\""}, 1, &out),
        REWRITE_DONE);
    assert_true(slice_equal(strbuf_as_slice(&out), strbuf_as_slice(&expected)));
    strbuf_free(&text);
    strbuf_free(&expected);
    strbuf_free(&out);
}

static void expect_in_front(const char *text, const char *pointer, const char *expected) {
    struct strbuf out = {0};
    struct rewrite edit = {.pointer = pointer, .value = "{\"n\":0}", .in_front = true};
    enum rewrite_result result = rewrite(slice_of(text), &edit, 1, &out);
    assert_int_equal(result, expected ? REWRITE_DONE : REWRITE_NO_PLACE);
    assert_string_equal(strbuf_text(&out), expected ? expected : "");
    strbuf_free(&out);
}

static void an_element_goes_in_front(void **state) {
    (void)state;
    expect_in_front("{\"m\": [1, 2]}", "/m", "{\"m\": [{\"n\":0},1, 2]}");
    expect_in_front("{\"m\":[ ] , \"x\":1}", "/m", "{\"m\":[{\"n\":0} ] , \"x\":1}");
    expect_in_front("[[],[ 1]]", "/1", "[[],[{\"n\":0}, 1]]");
    expect_in_front("{\"m\":{}}", "/m", NULL);
    expect_in_front("{\"m\":\"x\"}", "/m", NULL);
    expect_in_front("{\"a\":1}", "/m", NULL);
    expect_in_front("{}", "/m", NULL);
    expect_in_front("[1]", "/5", NULL);
    expect_in_front("7", "/m", NULL);
}

static void expect_found(const char *text, const char *pointer, const char *expected) {
    struct slice found = rewrite_find(slice_of(text), pointer);
    if (!expected)
        assert_null(found.at);
    else if (!found.at || !slice_equal(found, slice_of(expected)))
        fail_msg("%s in %s: %.*s instead of %s", pointer, text, (int)found.len, found.at, expected);
}

static void values_are_found(void **state) {
    (void)state;
    expect_found("{\"a\":{\"b\": [1, {\"c\" : \"\\u00e4\" } ]}}", "/a/b/1/c", "\"\\u00e4\"");
    expect_found("{\"a\": 1e3 }", "/a", "1e3");
    expect_found("{\"a\":1,\"a\":2}", "/a", "2");
    expect_found("{\"a\":{ \"x\" : [ ] }}", "/a", "{ \"x\" : [ ] }");
    expect_found("{\"a\":1}", "/b", NULL);
    expect_found("{\"a\":1}", "/a/b", NULL);
    expect_found("{\"a\":1", "/a", NULL);
    expect_found("{\"a\":1} x", "/a", NULL);
    expect_found("", "/a", NULL);
    expect_found("[0,1]", "/2", NULL);
    expect_found("[0,1]", "/-", NULL);
    expect_found("[0,1]", "/1", "1");
}

int test_rewrite(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_edited_where_they_stand),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(a_place_must_be_one),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(several_edits_follow_each_other),
        cmocka_unit_test(every_front_is_refused),
        cmocka_unit_test(a_mebibyte_keeps_its_bytes),
        cmocka_unit_test(an_element_goes_in_front),
        cmocka_unit_test(values_are_found),
    };
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL);
}

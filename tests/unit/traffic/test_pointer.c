#include "base/strbuf.h"
#include "config/config.h"
#include "traffic/pointer.h"
#include "unit.h"

#include <string.h>

static const char text[] =
    "{\"model\":\"gpt-4o\",\"n\":3,\"t\":0.1,\"big\":9007199254740993,\"yes\":true,\"nil\":null,\"\":\"empty "
    "key\","
    "\"a/b\":1,\"m~n\":2,\"~1\":4,\"messages\":[{\"role\":\"user\"},{\"role\":\"system\",\"x\":[1, 2]}],"
    "\"dup\":1,\"dup\":2,\"nul\":\"a\\u0000b\",\"e\":\"\",\"u\":\"\\u00e9\",\"exp\":1e3}";

static void finds_values(void **state) {
    (void)state;
    const struct {
        const char *pointer, *want; // NULL: leads nowhere
    } cases[] = {
        {"/model", "gpt-4o"},
        {"/n", "3"},
        {"/t", "0.1"},
        {"/big", "9007199254740993"},
        {"/yes", "true"},
        {"/nil", "null"},
        {"/", "empty key"},
        {"/a~1b", "1"},
        {"/m~0n", "2"},
        {"/~01", "4"},
        {"/messages/0/role", "user"},
        {"/messages/1/x", "[1,2]"},
        {"/messages/1/x/1", "2"},
        {"/dup", "2"},
        {"/e", ""},
        {"/u", "\xc3\xa9"},
        {"/exp", "1000"},
        {"/none", NULL},
        {"/model/x", NULL},
        {"/messages/2", NULL},
        {"/messages/01", NULL},
        {"/messages/-", NULL},
        {"/messages/role", NULL},
        {"/messages/", NULL},
        {"/messages/1e0", NULL},
        {"/messages/18446744073709551616", NULL},
        {"model", NULL},
        {"/m~n", NULL},
        {"/n/0", NULL},
    };
    struct document *document = document_parse(slice_of(text));
    assert_non_null(document);
    struct arena arena;
    arena_init(&arena, 1024);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice value = document_text(document, cases[i].pointer, &arena);
        if (!value.at != !cases[i].want || (value.at && !slice_equal(value, slice_of(cases[i].want))))
            fail_msg("%s: %.*s", cases[i].pointer, (int)value.len, value.at ? value.at : "-");
    }
    assert_true(slice_equal(document_text(document, "/nul", &arena), slice_make("a\0b", 3)));
    assert_int_equal(document_text(document, "", &arena).at[0], '{');
    // Scalars are strings and numbers only.
    assert_true(slice_equal(document_scalar(document, "/n", &arena), SLICE("3")));
    assert_non_null(document_scalar(document, "/e", &arena).at);
    assert_null(document_scalar(document, "/yes", &arena).at);
    assert_null(document_scalar(document, "/nil", &arena).at);
    assert_null(document_scalar(document, "/messages", &arena).at);
    arena_free(&arena);
    document_free(document);
}

static void any_value_is_a_document(void **state) {
    (void)state;
    const char *good[] = {"1", "\"x\"", "null", " [ ] ", "{}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct document *document = document_parse(slice_of(good[i]));
        assert_non_null(document);
        document_free(document);
    }
    const char *bad[] = {"",    " ",        "{",  "{}x",   "{'a':1}",    "[1,]",
                         "nul", "\"\xff\"", "01", "1e999", "{\"a\":1}{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (document_parse(slice_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_null(document_parse(slice_make(NULL, 0)));
}

static struct document *nested(unsigned depth, const char *open, const char *close) {
    struct strbuf json = {0};
    for (unsigned i = 0; i < depth; i++)
        strbuf_string(&json, open);
    strbuf_literal(&json, "1");
    for (unsigned i = 0; i < depth; i++)
        strbuf_string(&json, close);
    struct document *document = document_parse(strbuf_as_slice(&json));
    strbuf_free(&json);
    return document;
}

static void depth_is_bounded(void **state) {
    (void)state;
    struct document *document = nested(64, "[", "]");
    assert_non_null(document);
    document_free(document);
    document = nested(64, "{\"[\\\"[\":", "}"); // brackets in strings do not count
    assert_non_null(document);
    document_free(document);
    assert_null(nested(65, "[", "]"));
    assert_null(nested(100000, "{\"a\":", "}"));
    // One after the other is not deep.
    struct strbuf json = {0};
    strbuf_literal(&json, "[[]");
    for (int i = 0; i < 1000; i++)
        strbuf_literal(&json, ",[]");
    strbuf_literal(&json, "]");
    document = document_parse(strbuf_as_slice(&json));
    assert_non_null(document);
    document_free(document);
    strbuf_free(&json);
}

static bool equals(const char *json, const char *pointer, const char *expected) {
    struct document *document = document_parse(slice_of(json));
    assert_non_null(document);
    bool same = document_equals(document, pointer, expected);
    document_free(document);
    return same;
}

static void equality_is_by_value(void **state) {
    (void)state;
    const char json[] =
        "{\"m\":\"x\",\"i\":1,\"r\":1.0,\"b\":true,\"n\":null,\"a\":[1,{\"k\":2}],\"o\":{\"x\":1,\"y\":2}}";
    assert_true(equals(json, "/m", "\"x\""));
    assert_false(equals(json, "/m", "\"X\""));
    assert_false(equals(json, "/m", "x")); // not JSON
    assert_true(equals(json, "/i", "1.0"));
    assert_true(equals(json, "/r", "1"));
    assert_true(equals(json, "/i", "1e0"));
    assert_false(equals(json, "/i", "\"1\""));
    assert_false(equals(json, "/i", "true"));
    assert_true(equals(json, "/b", "true"));
    assert_false(equals(json, "/b", "false"));
    assert_true(equals(json, "/n", "null"));
    assert_false(equals(json, "/none", "null")); // absent is not null
    assert_true(equals(json, "/a", "[1.0, {\"k\": 2}]"));
    assert_false(equals(json, "/a", "[1]"));
    assert_true(equals(json, "/o", "{\"y\":2,\"x\":1}"));
    assert_false(equals(json, "/o", "{\"x\":1}"));
    assert_false(equals(json, "/o", "{\"x\":1,\"z\":2}"));
    assert_false(equals(json, "/a", "[2, {\"k\": 2}]")); // however deep it is
    assert_false(equals(json, "/a", "[1, {\"k\": 3}]"));
    assert_false(equals(json, "/o", "{\"x\":1,\"y\":{\"z\":2}}"));
    assert_false(equals(json, "/a", "{\"0\":1,\"1\":2}")); // a list is no object
    assert_false(equals(json, "/i", "[1]"));
    assert_false(equals(json, "/i", "1.5"));
    assert_false(equals(json, "/r", "2"));
    assert_false(equals(json, "/i", "2"));
    assert_false(equals("9007199254740993", "", "9007199254740992")); // integers are not compared as doubles
}

// A number past 64 bits is no reason to be blind to the rest of the text.
static void wide_integers_are_read(void **state) {
    (void)state;
    const char json[] = "{\"seed\":18446744073709551615,\"user\":12345,\"model\":\"m\",\"half\":0.5,"
                        "\"long\":0.30000000000000004,\"third\":0.1}";
    struct arena arena;
    arena_init(&arena, 256);
    struct document *document = document_parse(slice_of(json));
    assert_non_null(document);
    assert_true(slice_equal(document_text(document, "/model", &arena), SLICE("m")));
    assert_true(slice_equal(document_text(document, "/user", &arena), SLICE("12345")));
    assert_true(slice_equal(document_text(document, "/half", &arena), SLICE("0.5")));
    // As short as reads back the same: 0.1 is not 0.10000000000000001.
    assert_true(slice_equal(document_text(document, "/long", &arena), SLICE("0.30000000000000004")));
    assert_true(slice_equal(document_text(document, "/third", &arena), SLICE("0.1")));
    assert_true(document_equals(document, "/user", "12345"));
    assert_true(document_equals(document, "/seed", "18446744073709551615"));
    document_free(document);
    arena_free(&arena);
}

static void numbers_are_numbers(void **state) {
    (void)state;
    const char json[] =
        "{\"i\":3,\"r\":-0.5,\"wide\":18446744073709551615,\"s\":\"3\",\"b\":true,\"n\":null,\"l\":[7]}";
    struct document *document = document_parse(slice_of(json));
    double value;
    assert_non_null(document);
    assert_true(document_number(document, "/i", &value) && value == 3);
    assert_true(document_number(document, "/r", &value) && value == -0.5);
    assert_true(document_number(document, "/wide", &value) && value == 18446744073709551616.0);
    assert_true(document_number(document, "/l/0", &value) && value == 7);
    const char *none[] = {"/s", "/b", "/n", "/l", "/l/1", "/x", "", "x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (document_number(document, none[i], &value))
            fail_msg("%s is a number: %g", none[i], value);
    document_free(document);
}

static void pointers_are_checked(void **state) {
    (void)state;
    assert_true(pointer_valid(""));
    assert_true(pointer_valid("/"));
    assert_true(pointer_valid("/a/b~0~1"));
    assert_true(pointer_valid("//"));
    assert_false(pointer_valid("a"));
    assert_false(pointer_valid("/~"));
    assert_false(pointer_valid("/a~2"));
    assert_false(pointer_valid("/~/x"));
}

int test_pointer(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values),           cmocka_unit_test(any_value_is_a_document),
        cmocka_unit_test(depth_is_bounded),       cmocka_unit_test(equality_is_by_value),
        cmocka_unit_test(wide_integers_are_read), cmocka_unit_test(numbers_are_numbers),
        cmocka_unit_test(pointers_are_checked),
    };
    return cmocka_run_group_tests_name("pointer", tests, NULL, NULL);
}

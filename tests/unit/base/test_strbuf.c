#include "base/strbuf.h"
#include "unit.h"

static void assert_json(struct slice in, const char *want) {
    struct strbuf buf = {0};
    strbuf_json(&buf, in);
    assert_string_equal(strbuf_text(&buf), want);
    strbuf_free(&buf);
}

static void grows(void **state) {
    (void)state;
    struct strbuf buf = {0};
    for (int i = 0; i < 10000; i++)
        strbuf_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 10000);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(buf.at[i], 'a' + i % 26);
    strbuf_free(&buf);
    assert_string_equal(strbuf_text(&buf), "");
    strbuf_append(&buf, NULL, 0);
    strbuf_string(&buf, NULL);
    assert_int_equal(buf.len, 0);
    strbuf_free(&buf);
}

static void writes_numbers(void **state) {
    (void)state;
    struct strbuf buf = {0};
    strbuf_u64(&buf, 0);
    strbuf_char(&buf, ' ');
    strbuf_u64(&buf, UINT64_MAX);
    strbuf_char(&buf, ' ');
    strbuf_hex(&buf, 0xabc, 6);
    strbuf_literal(&buf, " ");
    strbuf_format(&buf, "%d%%", 5);
    assert_string_equal(strbuf_text(&buf), "0 18446744073709551615 000abc 5%");
    strbuf_clear(&buf);
    strbuf_format(&buf, "%500d|%s", 1, "end");
    assert_int_equal(buf.len, 504);
    assert_string_equal(strbuf_text(&buf) + 499, "1|end");
    strbuf_free(&buf);
}

static void escapes_json(void **state) {
    (void)state;
    assert_json(SLICE(""), "\"\"");
    assert_json(SLICE("plain"), "\"plain\"");
    assert_json(SLICE("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_json(SLICE("\b\t\n\f\r\x01\x1f\0"), "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u0000\"");
    assert_json(SLICE("\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
                "\"\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

#define BAD "\xef\xbf\xbd"
static void replaces_what_is_not_utf8(void **state) {
    (void)state;
    assert_json(SLICE("a\xff"
                      "b"),
                "\"a" BAD "b\"");
    assert_json(SLICE("\xc3"), "\"" BAD "\"");                         // cut short
    assert_json(SLICE("\xc0\xaf"), "\"" BAD BAD "\"");                 // overlong
    assert_json(SLICE("\xe0\x9f\xbf"), "\"" BAD BAD BAD "\"");         // overlong
    assert_json(SLICE("\xed\xa0\x80"), "\"" BAD BAD BAD "\"");         // surrogate
    assert_json(SLICE("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""); // past U+10FFFF
    assert_json(SLICE("\xe2\x82\"x"), "\"" BAD BAD "\\\"x\"");         // the quote is not swallowed
}

// Every byte, in front of, behind and between others, is written as it is by itself: runs of plain bytes are
// looked for eight at a time.
static void every_byte_is_escaped_wherever_it_stands(void **state) {
    (void)state;
    char text[20];
    struct strbuf want = {0}, alone = {0};
    for (unsigned byte = 0; byte < 256; byte++) {
        char one = (char)byte;
        strbuf_clear(&alone);
        strbuf_json(&alone, slice_make(&one, 1));
        for (size_t length = 1; length <= sizeof text; length++)
            for (size_t at = 0; at < length; at++) {
                memset(text, 'x', sizeof text);
                text[at] = one;
                strbuf_clear(&want);
                strbuf_char(&want, '"');
                strbuf_append(&want, text, at);
                strbuf_append(&want, alone.at + 1, alone.len - 2);
                strbuf_append(&want, text + at + 1, length - at - 1);
                strbuf_char(&want, '"');
                assert_json(slice_make(text, length), strbuf_text(&want));
            }
    }
    strbuf_free(&alone);
    strbuf_free(&want);
}

int test_strbuf(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(writes_numbers),
        cmocka_unit_test(escapes_json),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(every_byte_is_escaped_wherever_it_stands),
    };
    return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}

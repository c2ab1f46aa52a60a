#include "base/base64.h"
#include "unit.h"

#include <string.h>

static void texts_are_those_of_the_rfc(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct strbuf out = {0};
        char bytes[16];
        size_t len;
        base64_write(slice_of(pairs[i][0]), &out);
        assert_string_equal(strbuf_text(&out), pairs[i][1]);
        assert_true(base64_read(slice_of(pairs[i][1]), bytes, &len));
        assert_true(slice_equal(slice_make(bytes, len), slice_of(pairs[i][0])));
        strbuf_free(&out);
    }
}

static void every_byte_at_every_place_comes_back(void **state) {
    (void)state;
    char all[256 + 2];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    for (size_t cut = 0; cut < 3; cut++) {
        struct strbuf out = {0};
        struct slice given = slice_make(all + cut, 256);
        char bytes[300];
        size_t len;
        base64_write(given, &out);
        assert_true(BASE64_BYTES(out.len) <= sizeof bytes);
        assert_true(base64_read(strbuf_as_slice(&out), bytes, &len));
        assert_true(slice_equal(slice_make(bytes, len), given));
        strbuf_free(&out);
    }
}

static void what_no_encoder_writes_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "Z",      "Zg",       "Zg=",  "Z===",  "====", "Zh==",  "Zm9=",     "Zm-_",
        "Zm9v\n", "Zg==Zg==", "=Zm9", "Zm\n9", "Z=g=", "Zm9vZ", "Zm9vYg= ", "\xc3\xa4Zg"};
    char bytes[16];
    size_t len;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (base64_read(slice_of(bad[i]), bytes, &len))
            fail_msg("\"%s\" is taken", bad[i]);
}

int test_base64(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_the_rfc),
        cmocka_unit_test(every_byte_at_every_place_comes_back),
        cmocka_unit_test(what_no_encoder_writes_is_refused),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}

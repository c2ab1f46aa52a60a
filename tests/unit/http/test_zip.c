#include "http/unzip.h"
#include "http/zip.h"
#include "unit.h"
#include <stdlib.h>

static bool take(void *context, struct slice text) {
    strbuf_slice(context, text);
    return true;
}

static void what_was_zipped_is_unzipped(void **state) {
    (void)state;
    for (size_t len = 0; len < 200000; len = len * 3 + 1) {
        struct strbuf text = {0}, zipped = {0}, again = {0}, unzipped = {0};
        for (size_t i = 0; i < len; i++) // the first half repeats itself, the second does not
            strbuf_char(&text, (char)(i < len / 2 ? 'a' + (int)(i % 3) : rand() % 256));
        zip_text(strbuf_as_slice(&text), &zipped);
        zip_text(strbuf_as_slice(&text), &again);
        assert_true(slice_equal(strbuf_as_slice(&zipped), strbuf_as_slice(&again)));
        struct unzip *unzip = unzip_new();
        assert_true(unzip_feed(unzip, strbuf_as_slice(&zipped), take, &unzipped));
        unzip_free(unzip);
        assert_true(slice_equal(strbuf_as_slice(&text), strbuf_as_slice(&unzipped)));
        strbuf_free(&text);
        strbuf_free(&zipped);
        strbuf_free(&again);
        strbuf_free(&unzipped);
    }
}

static void it_is_appended(void **state) {
    (void)state;
    struct strbuf out = {0};
    strbuf_literal(&out, "before");
    zip_text(SLICE("text"), &out);
    assert_true(slice_starts(strbuf_as_slice(&out), SLICE("before\x1f\x8b")));
    strbuf_free(&out);
}

int test_zip(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_zipped_is_unzipped),
        cmocka_unit_test(it_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

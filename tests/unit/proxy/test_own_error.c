#include "http/reject.h"
#include "proxy/own_error.h"
#include "unit.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

static void every_error_is_whole(void **state) {
    (void)state;
    for (int i = 0; i < OWN_ERRORS; i++) {
        enum own_error error = (enum own_error)i;
        unsigned status = own_error_status(error);
        assert_true(status >= 400 && status < 600);
        assert_non_null(own_error_text(error));
        for (const char *at = own_error_name(error); *at; at++)
            assert_true(islower((unsigned char)*at) || *at == '_');
        for (int k = 0; k < i; k++)
            assert_string_not_equal(own_error_name(error), own_error_name((enum own_error)k));
        for (int k = 0; k < REJECT_COUNT; k++) // one name, one meaning
            assert_string_not_equal(own_error_name(error), reject_name((enum reject)k));
    }
}

static void the_page_is_up_to_date(void **state) {
    (void)state;
    const char *path = SOURCE_ROOT "/docs/errors.md";
    struct strbuf page = {0};
    own_error_reference(&page);
    if (getenv("UPDATE_DOCS")) {
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fwrite(page.at, 1, page.len, file), page.len);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *written = calloc(1, page.len + 2);
    size_t len = fread(written, 1, page.len + 1, file);
    fclose(file);
    if (len != page.len || memcmp(written, page.at, len) != 0)
        fail_msg("docs/errors.md is not what the table says; UPDATE_DOCS=1 writes it anew");
    free(written);
    strbuf_free(&page);
}

int test_own_error(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_is_whole),
        cmocka_unit_test(the_page_is_up_to_date),
    };
    return cmocka_run_group_tests_name("own_error", tests, NULL, NULL);
}

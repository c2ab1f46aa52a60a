#include "../../../src/control/dashboard.h"
#include "base/strbuf.h"
#include "http/unzip.h"
#include "unit.h"
#include <string.h>

static void gzip_where_it_is_accepted(void **state) {
    (void)state;
    static const char *const yes[] = {"gzip", "deflate, gzip, br", "GZIP;q=0.5", "br;q=1.0, gzip;q=0.001",
                                      "gzip ; q=1"};
    static const char *const no[] = {"", "identity", "br", "gzip;q=0", "gzip;q=0.000, br", "xgzip", "gzi"};
    assert_false(dashboard_accepts_gzip(NULL));
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(dashboard_accepts_gzip(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(dashboard_accepts_gzip(no[i]));
}

static bool take(void *context, struct slice text) {
    strbuf_slice(context, text);
    return true;
}

static void each_file_is_packed_once(void **state) {
    (void)state;
    struct dashboard *dashboard = dashboard_new();
    assert_true(dashboard_file_count > 10);
    for (size_t i = 0; i < dashboard_file_count; i++) {
        const struct dashboard_file *file = &dashboard_files[i];
        assert_ptr_equal(dashboard_find(file->name), file);
        struct slice packed = dashboard_packed(dashboard, file);
        assert_ptr_equal(dashboard_packed(dashboard, file).at, packed.at);
        struct strbuf text = {0};
        struct unzip *unzip = unzip_new();
        assert_true(unzip_feed(unzip, packed, take, &text));
        assert_int_equal(text.len, file->len);
        assert_memory_equal(text.at, file->bytes, file->len);
        unzip_free(unzip);
        strbuf_free(&text);
    }
    assert_null(dashboard_find("index"));
    assert_null(dashboard_find(""));
    dashboard_free(dashboard);
}

int test_dashboard(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gzip_where_it_is_accepted),
        cmocka_unit_test(each_file_is_packed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// One value out of a text, at any cut.
#include "base/mem.h"
#include "http/pick.h"
#include "unit.h"

#include <string.h>

static void expect(const char *text, const char *pointer, const char *expected) {
    size_t len = strlen(text);
    for (size_t cut = 0; cut <= len; cut++) {
        struct pick pick;
        pick_start(&pick, pointer);
        const size_t ends[] = {cut, len};
        size_t at = 0;
        for (int i = 0; i < 2; i++) {
            char *copy = mem_alloc(ends[i] - at + 1);
            memcpy(copy, text + at, ends[i] - at);
            pick_feed(&pick, slice_make(copy, ends[i] - at));
            mem_free(copy);
            at = ends[i];
        }
        if (!expected ? pick.value.at != NULL : !slice_equal(pick.value, slice_of(expected)))
            fail_msg("%s of %s cut at %zu: %.*s", pointer, text, cut, (int)pick.value.len,
                     pick.value.at ? pick.value.at : "");
    }
}

static void values_are_taken(void **state) {
    (void)state;
    expect("{\"id\":\"batch_67f3a9d2c8b14e0c9a1b2c3d4e5f6a7b\",\"x\":1}", "/id",
           "batch_67f3a9d2c8b14e0c9a1b2c3d4e5f6a7b");
    expect("{\"x\":{\"id\":1},\"id\":\"a\"}", "/id", "a");
    expect("{ \"job\" : { \"a\":[{\"id\":\"no\"}], \"id\" : 4711 } }", "/job/id", "4711");
    expect("{\"a\":{\"b\":{\"c\":{\"d\":\"deep\"}}}}", "/a/b/c/d", "deep");
    expect("{\"id\":9223372036854775807}", "/id", "9223372036854775807"); // all that fits 63 bits
    expect("{\"id\":9223372036854775800}", "/id", "9223372036854775800");
    expect("{\"id\":\"first\",\"id\":\"second\"}", "/id", "first");
    expect("{\"id\":null,\"id\":\"second\"}", "/id", "second");
    expect("{\"key\":1,\"\":\"of no name\"}", "/", "of no name"); // whatever key came before
    expect("{\"id\":\"a\",\"other\":\"a long text that must not go where the value is kept\"}", "/id", "a");
}

static void what_is_none_is_not(void **state) {
    (void)state;
    static const char *const texts[] = {"{}",
                                        "[]",
                                        "",
                                        "{\"id\":null}",
                                        "{\"id\":{}}",
                                        "{\"id\":[1]}",
                                        "{\"id\":\"\"}",
                                        "{\"id\":-1}",
                                        "{\"id\":9223372036854775808}",
                                        "{\"id\":1.5}",
                                        "{\"x\":{\"id\":\"a\"}}",
                                        "{\"id\":\"a\\u0062\"}",
                                        "{\"id\":\"cut"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        expect(texts[i], "/id", NULL);
    char text[600];
    memset(text, 'x', sizeof text);
    memcpy(text, "{\"id\":\"", 7);
    memcpy(text + 7 + PICK_MOST, "\"}", 3);
    struct pick pick;
    pick_start(&pick, "/id");
    pick_feed(&pick, slice_of(text));
    assert_int_equal(pick.value.len, PICK_MOST);
    memset(text + 7, 'x', sizeof text - 7);
    memcpy(text + 8 + PICK_MOST, "\"}", 3);
    pick_start(&pick, "/id");
    pick_feed(&pick, slice_of(text));
    assert_null(pick.value.at);
}

int test_pick(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken),
        cmocka_unit_test(what_is_none_is_not),
    };
    return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}

#include "control/emit.h"
#include "unit.h"

#include <math.h>

static void commas_stand_between_and_nowhere_else(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct emit emit = {.out = &out};
    emit_object(&emit);
    emit_array(emit_name(&emit, "empty"));
    emit_end(&emit, ']');
    emit_array(emit_name(&emit, "list"));
    emit_u64(&emit, 1);
    emit_object(&emit);
    emit_end(&emit, '}');
    emit_object(&emit);
    emit_bool(emit_name(&emit, "yes"), true);
    emit_bool(emit_name(&emit, "no"), false);
    emit_end(&emit, '}');
    emit_null(&emit);
    emit_end(&emit, ']');
    emit_percent(emit_name(&emit, "weight"), 250);
    emit_end(&emit, '}');
    assert_string_equal(strbuf_text(&out),
                        "{\"empty\":[],\"list\":[1,{},{\"yes\":true,\"no\":false},null],\"weight\":2.5}");
    strbuf_free(&out);
}

static void text_is_escaped_and_numbers_are_json(void **state) {
    (void)state;
    struct strbuf out = {0};
    struct emit emit = {.out = &out};
    emit_array(&emit);
    emit_text(&emit, "a\"b\\c\n");
    emit_text(&emit, NULL);
    emit_number(&emit, 1.23456, 2);
    emit_number(&emit, NAN, 2);
    emit_number(&emit, INFINITY, 2);
    emit_slice(&emit, slice_make("xyz", 2));
    emit_end(&emit, ']');
    assert_string_equal(strbuf_text(&out), "[\"a\\\"b\\\\c\\n\",null,1.23,null,null,\"xy\"]");
    strbuf_free(&out);
}

int test_emit(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(text_is_escaped_and_numbers_are_json),
    };
    return cmocka_run_group_tests_name("emit", tests, NULL, NULL);
}

#include "../../../src/config/report.h"
#include "load.h"
#include "unit.h"

static void in_order_of_place(void **state) {
    (void)state;
    struct report report = {0};
    struct diagnostics diagnostics;
    struct strbuf said = {0};
    report_add(&report, (struct place){2, 5}, NULL, "%s", "third");
    report_add(&report, (struct place){2, 1}, "do this", "second");
    report_add(&report, (struct place){0}, NULL, "first\n\x1b[31m");
    report_take(&report, &diagnostics);
    diagnostics_write(&diagnostics, "f", &said);
    assert_string_equal(strbuf_text(&said), "f:1:1: first??[31m\nf:2:1: second (do this)\nf:2:5: third\n");
    diagnostics_free(&diagnostics);
    assert_int_equal(diagnostics.count, 0);
    diagnostics_free(&diagnostics);
    strbuf_free(&said);
}

// A file of nothing but mistakes is not told all of them.
static void a_thousand_are_enough(void **state) {
    (void)state;
    struct report report = {0};
    struct diagnostics diagnostics;
    for (unsigned i = 1; i <= 1500; i++)
        report_add(&report, (struct place){i, 1}, NULL, "no %u", i);
    report_take(&report, &diagnostics);
    assert_int_equal(diagnostics.count, 1000);
    assert_int_equal(diagnostics.items[999].place.line, 1000);
    diagnostics_free(&diagnostics);
}

static void notes_are_found_by_field(void **state) {
    (void)state;
    struct report report = {0};
    struct diagnostics diagnostics;
    static int fields[1000];
    struct place none = {0};
    assert_false(report_given(&report, &fields[0]));
    for (unsigned i = 0; i < 1000; i += 2) {
        size_t at = (i * 7) % 1000; // not in order of address
        report_note(&report, &fields[at], (struct place){(unsigned)at + 1, 3}, at % 4 == 0);
    }
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(report_given(&report, &fields[i]), i % 2 == 0);
        assert_int_equal(report_refused(&report, &fields[i]), i % 4 == 0);
        assert_int_equal(report_place(&report, &fields[i], none).line, i % 2 ? 0 : i + 1);
    }
    report_note(&report, &fields[1], (struct place){7, 7}, true); // after a look-up
    assert_true(report_refused(&report, &fields[1]));
    report_take(&report, &diagnostics);
    assert_int_equal(diagnostics.count, 0);
}

static void suggestions(void **state) {
    (void)state;
    static const char *const words[] = {"weight", "version", "pool"};
    struct arena arena;
    arena_init(&arena, 256);
    assert_string_equal(suggest(&arena, "wieght", words, 3), "did you mean `weight`?");
    assert_string_equal(suggest(&arena, "Pool", words, 3), "did you mean `pool`?");
    assert_string_equal(suggest(&arena, "versions", words, 3), "did you mean `version`?");
    static const char *const endless[] = {"weightweightweightweightweightweightweighty"};
    assert_null(suggest(&arena, "weightweightweightweightweightweightweight", endless, 1));
    assert_null(suggest(&arena, "zebra", words, 3));
    assert_null(suggest(&arena, "", words, 3));
    assert_null(suggest(&arena, "weight", words, 0));
    assert_null(suggest(&arena, "weightweightweightweightweightweightweight", words, 3));
    assert_int_equal(nearest_word("poool", words, 3), 2);
    assert_int_equal(nearest_word("other", words, 3), 3);
    arena_free(&arena);
}

int test_report(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_of_place),
        cmocka_unit_test(a_thousand_are_enough),
        cmocka_unit_test(notes_are_found_by_field),
        cmocka_unit_test(suggestions),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}

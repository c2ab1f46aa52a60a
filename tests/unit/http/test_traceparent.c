#include "http/traceparent.h"
#include "unit.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static void reads_what_means_something(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint8_t flags;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", 1},   {"00-" TRACE "-" SPAN "-00", 0},
        {"00-" TRACE "-" SPAN "-03", 3}, // random-trace-id of level 2
        {"01-" TRACE "-" SPAN "-01", 1},   {"cc-" TRACE "-" SPAN "-01-more to come", 1},
        {"fe-" TRACE "-" SPAN "-ff", 255},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct traceparent got;
        if (!traceparent_read(slice_of(cases[i].text), &got))
            fail_msg("%s is refused", cases[i].text);
        assert_memory_equal(got.trace, TRACE, TRACE_DIGITS);
        assert_memory_equal(got.span, SPAN, SPAN_DIGITS);
        assert_int_equal(got.flags, cases[i].flags);
    }
}

static void refuses_the_rest(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-",
        "00-" TRACE "-" SPAN "-01 ",
        "01-" TRACE "-" SPAN "-01.x",
        "ff-" TRACE "-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "-0g",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct traceparent got;
        if (traceparent_read(slice_of(cases[i]), &got))
            fail_msg("%s is taken", cases[i]);
    }
}

static void writes_what_it_reads(void **state) {
    (void)state;
    struct random_state random;
    random_seed_fixed(&random, 1);
    for (unsigned i = 0; i < 1000; i++) {
        struct traceparent made, got;
        char text[TRACEPARENT_BYTES];
        traceparent_begin(&random, (uint8_t)i, &made);
        traceparent_write(&made, text);
        assert_true(traceparent_read(slice_make(text, sizeof text), &got));
        assert_memory_equal(&made, &got, sizeof made);
    }
}

int test_traceparent(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_means_something),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(writes_what_it_reads),
    };
    return cmocka_run_group_tests_name("traceparent", tests, NULL, NULL);
}

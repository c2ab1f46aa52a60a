#include "base/mem.h"
#include "metrics/exemplar.h"
#include "unit.h"

#include <pthread.h>
#include <string.h>

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"

static void the_newest_of_each_bucket_is_kept(void **state) {
    (void)state;
    struct exemplars *exemplars = exemplars_new();
    struct exemplar got;
    for (unsigned i = 0; i <= LATENCY_BOUNDS; i++)
        assert_false(exemplars_read(exemplars, EXEMPLAR_DURATION, i, &got));
    exemplars_set(exemplars, EXEMPLAR_DURATION, "11111111111111111111111111111111", "2222222222222222", 900);
    exemplars_set(exemplars, EXEMPLAR_DURATION, TRACE, SPAN, 1000); // of the same bucket: le 0.001
    assert_true(exemplars_read(exemplars, EXEMPLAR_DURATION, 0, &got));
    assert_memory_equal(got.trace, TRACE, TRACE_DIGITS_KEPT);
    assert_memory_equal(got.span, SPAN, SPAN_DIGITS_KEPT);
    assert_int_equal(got.us, 1000);
    assert_true(got.wall_ms > 0);
    assert_false(exemplars_read(exemplars, EXEMPLAR_DURATION, 1, &got));
    assert_false(exemplars_read(exemplars, EXEMPLAR_FIRST_BYTE, 0, &got));
    exemplars_set(exemplars, EXEMPLAR_FIRST_TOKEN, TRACE, SPAN, 1u << 30);
    assert_true(exemplars_read(exemplars, EXEMPLAR_FIRST_TOKEN, LATENCY_BOUNDS, &got));
    mem_free(exemplars);
}

#define WRITES 20000

static void *write_many(void *context) {
    for (unsigned i = 0; i < WRITES; i++) {
        char ids[TRACE_DIGITS_KEPT];
        memset(ids, "0123456789abcdef"[i % 16], sizeof ids);
        exemplars_set(context, EXEMPLAR_DURATION, ids, ids, i % 16);
    }
    return NULL;
}

// A reader never sees half of one and half of another.
static void what_is_read_is_whole(void **state) {
    (void)state;
    struct exemplars *exemplars = exemplars_new();
    pthread_t writer;
    unsigned seen = 0;
    assert_int_equal(pthread_create(&writer, NULL, write_many, exemplars), 0);
    struct exemplar got = {.us = 0};
    for (bool last = false; !last;) {
        last = pthread_tryjoin_np(writer, NULL) == 0;
        if (!exemplars_read(exemplars, EXEMPLAR_DURATION, 0, &got))
            continue;
        seen++;
        char want[TRACE_DIGITS_KEPT];
        memset(want, "0123456789abcdef"[got.us], sizeof want);
        assert_memory_equal(got.trace, want, TRACE_DIGITS_KEPT);
        assert_memory_equal(got.span, want, SPAN_DIGITS_KEPT);
    }
    assert_true(seen > 0);
    assert_int_equal(got.us, (WRITES - 1) % 16); // the last read is of a slot at rest
    mem_free(exemplars);
}

int test_exemplar(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_of_each_bucket_is_kept),
        cmocka_unit_test(what_is_read_is_whole),
    };
    return cmocka_run_group_tests_name("exemplar", tests, NULL, NULL);
}

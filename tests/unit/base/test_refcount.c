#include "base/refcount.h"
#include "child.h"
#include "unit.h"
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

static struct refcount shared;
static atomic_int last_drops;

static void *take_and_drop(void *argument) {
    (void)argument;
    for (int i = 0; i < 20000; i++) {
        refcount_take(&shared);
        if (refcount_drop(&shared))
            atomic_fetch_add(&last_drops, 1);
    }
    return NULL;
}

static void one_thread_is_the_last(void **state) {
    (void)state;
    pthread_t threads[4];
    refcount_init(&shared);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(last_drops, 0);
    assert_true(refcount_drop(&shared));
}

static void take_the_dead(void) {
    struct refcount refs;
    refcount_init(&refs);
    refcount_drop(&refs);
    refcount_take(&refs);
}

static void the_dead_stay_dead(void **state) {
    (void)state;
    char text[512];
    int status = child_run(take_the_dead, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(text, "impossible state"));
}

int test_refcount(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_is_the_last),
        cmocka_unit_test(the_dead_stay_dead),
    };
    return cmocka_run_group_tests_name("refcount", tests, NULL, NULL);
}

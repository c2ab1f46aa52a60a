#include "base/counter.h"
#include "unit.h"
#include <pthread.h>

#define ROUNDS 200000u
static uint64_t counter;

static void *count(void *argument) {
    (void)argument;
    for (unsigned i = 0; i < ROUNDS; i++)
        counter_add(&counter, 3);
    return NULL;
}

static void readers_see_it_grow(void **state) {
    (void)state;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, count, NULL), 0);
    uint64_t last = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = counter_read(&counter);
        assert_true(now >= last && now % 3 == 0);
        last = now;
    }
    pthread_join(writer, NULL);
    assert_int_equal(counter_read(&counter), 3 * ROUNDS);
}

int test_counter(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(readers_see_it_grow)};
    return cmocka_run_group_tests_name("counter", tests, NULL, NULL);
}

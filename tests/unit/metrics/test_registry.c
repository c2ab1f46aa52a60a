#include "base/mem.h"
#include "metrics/registry.h"
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void same_name_same_series(void **state) {
    (void)state;
    struct registry *registry = registry_new(2);
    struct variant_series *a = registry_variant(registry, "chat", "stable");
    char route[] = "chat", variant[] = "stable"; // other memory, same names
    assert_ptr_equal(a, registry_variant(registry, route, variant));
    route[0] = 'x'; // names are copied
    assert_string_equal(a->route, "chat");
    assert_ptr_not_equal(a, registry_variant(registry, "chat", "canary"));
    // The line between the two names is part of the name.
    assert_ptr_not_equal(registry_variant(registry, "ab", "c"), registry_variant(registry, "a", "bc"));
    registry_free(registry);
}

static void counters_survive_while_referred_to(void **state) {
    (void)state;
    struct registry *registry = registry_new(1);
    struct variant_series *old_plan = registry_variant(registry, "r", "v");
    counter_add(&old_plan->lanes[0]->requests[CODE_2XX], 5);
    struct variant_series *new_plan = registry_variant(registry, "r", "v");
    variant_unref(old_plan);
    registry_sweep(registry);
    assert_int_equal(counter_read(&new_plan->lanes[0]->requests[CODE_2XX]), 5);
    variant_unref(new_plan);
    // Taken again before the sweep: still the same counters.
    new_plan = registry_variant(registry, "r", "v");
    assert_int_equal(counter_read(&new_plan->lanes[0]->requests[CODE_2XX]), 5);
    variant_unref(new_plan);
    registry_sweep(registry);
    new_plan = registry_variant(registry, "r", "v");
    assert_int_equal(counter_read(&new_plan->lanes[0]->requests[CODE_2XX]), 0);
    variant_unref(new_plan);
    registry_free(registry);
}

struct walk {
    size_t count;
    char last[64];
};
static void step(const struct variant_series *series, void *context) {
    struct walk *walk = context;
    char name[64];
    snprintf(name, sizeof name, "%s\x01%s", series->route, series->variant);
    assert_true(walk->count == 0 || strcmp(walk->last, name) < 0);
    memcpy(walk->last, name, sizeof name);
    walk->count++;
}

#define MANY 3000
static void many_series_in_order(void **state) {
    (void)state;
    struct registry *registry = registry_new(1);
    struct variant_series **series = mem_zero(MANY, sizeof *series);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            char route[32], variant[32];
            int scattered = i * 7919 % MANY; // MANY and 7919 have no common factor
            snprintf(route, sizeof route, "route-%d", scattered / 3);
            snprintf(variant, sizeof variant, "v%d", scattered % 3);
            struct variant_series *found = registry_variant(registry, route, variant);
            if (round)
                assert_ptr_equal(found, series[scattered]);
            series[scattered] = found;
        }
    }
    struct walk walk = {0};
    registry_each(registry, step, &walk);
    assert_int_equal(walk.count, MANY);

    for (int i = 0; i < MANY; i += 2) { // each has two references
        variant_unref(series[i]);
        variant_unref(series[i]);
    }
    registry_sweep(registry);
    walk = (struct walk){0};
    registry_each(registry, step, &walk);
    assert_int_equal(walk.count, MANY / 2);
    assert_ptr_equal(registry_variant(registry, series[1]->route, series[1]->variant), series[1]);
    mem_free(series);
    registry_free(registry);
}

static void *drop_all(void *argument) {
    struct variant_series **series = argument;
    for (int i = 0; i < 1000; i++)
        variant_unref(series[i]);
    return NULL;
}

// References go on other threads while the registry sweeps; what is left at the end is gone with the last
// sweep.
static void unref_on_another_thread(void **state) {
    (void)state;
    struct registry *registry = registry_new(1);
    static struct variant_series *series[1000];
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        series[i] = registry_variant(registry, name, "v");
    }
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, drop_all, series), 0);
    for (int i = 0; i < 20; i++)
        registry_sweep(registry);
    pthread_join(thread, NULL);
    registry_sweep(registry);
    struct walk walk = {0};
    registry_each(registry, step, &walk);
    assert_int_equal(walk.count, 0);
    registry_free(registry);
}

int test_registry(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_name_same_series),
        cmocka_unit_test(counters_survive_while_referred_to),
        cmocka_unit_test(many_series_in_order),
        cmocka_unit_test(unref_on_another_thread),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}

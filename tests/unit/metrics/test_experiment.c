#include "base/mem.h"
#include "metrics/registry.h"
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define MS   UINT64_C(1000000)
#define NOW  (UINT64_C(1000) * 1000 * MS) // some time
#define TICK (NOW / EXPERIMENT_TICK_NS)

static struct experiment_entry begin(struct experiment *experiment, size_t arm, uint64_t unit, uint64_t now) {
    struct experiment_arrival arrival = {
        .arm = arm, .unit_hash = unit, .fresh_unit = true, .unit_known = true, .epoch = 1};
    struct experiment_entry entry;
    experiment_begin(experiment, 0, &arrival, now, &entry);
    return entry;
}

static struct experiment_cell at(struct experiment *experiment, size_t arm, uint64_t tick) {
    struct experiment_cell cell;
    assert_true(experiment_read(experiment, arm, tick, &cell));
    return cell;
}

// What ends is credited to the tick in which it began, however much later that is.
static void by_start(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 2);
    struct experiment_entry early = begin(experiment, 1, 7, NOW);
    struct experiment_entry late = begin(experiment, 1, 7, NOW + 10000 * MS);
    experiment_failed(experiment, 0, 12000 * MS, &early);
    experiment_failed(experiment, 0, 10 * MS, &late);
    struct experiment_cell cell = at(experiment, 1, TICK);
    assert_int_equal(cell.started, 1);
    assert_int_equal(cell.failed, 1);
    assert_int_equal(cell.failed_soon, 0);
    cell = at(experiment, 1, TICK + 40);
    assert_int_equal(cell.failed, 1);
    assert_int_equal(cell.failed_soon, 1);
    assert_int_equal(at(experiment, 0, TICK).started, 0);
    experiment_free(experiment);
}

static void past_the_horizon_is_no_error(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    experiment_set_horizon(experiment, 1000 * MS);
    struct experiment_entry entry = begin(experiment, 0, 7, NOW), other = begin(experiment, 0, 7, NOW);
    experiment_failed(experiment, 0, 1001 * MS, &entry);
    experiment_failed(experiment, 0, 1000 * MS, &other);
    assert_int_equal(at(experiment, 0, TICK).failed, 1);
    experiment_free(experiment);
}

// The first attempt's failure counts, and only it: the retry that went well is nobody's success.
static void a_failure_counts_once(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_entry entry = begin(experiment, 0, 7, NOW);
    experiment_failed(experiment, 0, 5 * MS, &entry);
    experiment_failed(experiment, 0, 6 * MS, &entry);
    experiment_ended_well(experiment, 0, 9 * MS, &entry);
    experiment_excluded(experiment, 0, &entry);
    struct experiment_cell cell = at(experiment, 0, TICK);
    assert_int_equal(cell.failed, 1);
    assert_int_equal(cell.excluded, 0);
    struct experiment_group groups[EXPERIMENT_GROUPS];
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[0].requests, 1);
    assert_int_equal(groups[0].failed, 1);
    experiment_free(experiment);
}

static struct experiment_thresholds thresholds(uint32_t whole_us, uint32_t first_us) {
    struct experiment_thresholds made = {.first_byte = 2, .group_slot = {0, EXPERIMENT_SLOTS}};
    for (int arm = 0; arm < 2; arm++) {
        made.limit_us[arm][0] = whole_us << arm; // the second arm may be twice as slow
        made.limit_us[arm][1] = first_us << arm;
    }
    return made;
}

static void thresholds_are_those_of_the_tick(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 2);
    struct experiment_thresholds first = thresholds(100000, 10000), second = thresholds(1000, 1000);
    uint32_t version = experiment_set_thresholds(experiment, &first);
    assert_int_not_equal(version, 0);
    struct experiment_entry base = begin(experiment, 0, 1, NOW), other = begin(experiment, 1, 2, NOW);
    assert_int_not_equal(experiment_set_thresholds(experiment, &second), version);
    experiment_first_byte(experiment, 0, 15 * MS, &base);
    experiment_first_byte(experiment, 0, 15 * MS, &other);
    experiment_ended_well(experiment, 0, 99 * MS, &base);
    experiment_ended_well(experiment, 0, 250 * MS, &other);
    struct experiment_cell cell = at(experiment, 0, TICK);
    assert_int_equal(cell.version, version);
    assert_int_equal(cell.limit_us[0], 100000);
    assert_int_equal(cell.within[0], 1);
    assert_int_equal(cell.within[1], 0); // 15 ms to the first byte
    cell = at(experiment, 1, TICK);
    assert_int_equal(cell.within[0], 0);
    assert_int_equal(cell.within[1], 1);
    experiment_free(experiment);
}

// A client that goes away after its first byte is taken out whole.
static void excluded_is_taken_out_whole(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_thresholds limits = thresholds(100000, 10000);
    experiment_set_thresholds(experiment, &limits);
    struct experiment_entry entry = begin(experiment, 0, 1, NOW);
    experiment_first_byte(experiment, 0, 5 * MS, &entry);
    assert_int_equal(at(experiment, 0, TICK).within[1], 1);
    experiment_excluded(experiment, 0, &entry);
    struct experiment_cell cell = at(experiment, 0, TICK);
    assert_int_equal(cell.started - cell.excluded, 0);
    assert_int_equal(cell.within[1], 0);
    experiment_free(experiment);
}

// A request that ends when its tick has gone: its unit's group knows it still, no tick does.
static void what_outlasts_the_ring_is_slow(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_thresholds limits = thresholds(UINT32_MAX, UINT32_MAX);
    experiment_set_thresholds(experiment, &limits);
    struct experiment_entry old[4];
    for (int i = 0; i < 4; i++)
        old[i] = begin(experiment, 0, 1, NOW);
    uint64_t later = NOW + EXPERIMENT_RING * EXPERIMENT_TICK_NS;
    struct experiment_entry fresh = begin(experiment, 0, 1, later);
    experiment_first_byte(experiment, 0, MS, &old[0]);
    experiment_value(experiment, 0, MEAN_COST, 1, &old[0]);
    experiment_ended_well(experiment, 0, later - NOW, &old[0]);
    experiment_failed(experiment, 0, MS, &old[1]);
    experiment_excluded(experiment, 0, &old[2]);
    experiment_ended_well(experiment, 0, MS, &fresh);
    struct experiment_cell cell = at(experiment, 0, TICK + EXPERIMENT_RING);
    assert_int_equal(cell.started, 1);
    assert_int_equal(cell.failed + cell.excluded, 0);
    assert_int_equal(cell.within[0], 1);
    assert_int_equal(cell.within[1], 0);
    assert_int_equal(cell.means[MEAN_COST].count, 0);
    struct experiment_group groups[EXPERIMENT_GROUPS];
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[0].requests, 3); // not the one that was taken out
    assert_int_equal(groups[0].failed, 1);
    assert_int_equal(groups[0].slow[0], 2);
    assert_int_equal(groups[0].values[MEAN_COST], 0);
    experiment_free(experiment);
}

// The rest of a request that has ended, or failed, or never was one, changes nothing.
static void what_is_over_stays_as_it_is(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_thresholds limits = thresholds(100000, 10000);
    experiment_set_thresholds(experiment, &limits);
    struct experiment_entry none = {.tick = TICK}, ended = begin(experiment, 0, 1, NOW), failed = ended,
                            out = ended, *over[] = {&none, &ended, &failed, &out};
    experiment_ended_well(experiment, 0, MS, &ended);
    experiment_failed(experiment, 0, MS, &failed);
    experiment_excluded(experiment, 0, &out);
    struct experiment_cell before = at(experiment, 0, TICK), after;
    struct experiment_group groups[EXPERIMENT_GROUPS];
    for (int i = 0; i < 4; i++) {
        experiment_first_byte(experiment, 0, MS, over[i]);
        experiment_value(experiment, 0, MEAN_COST, 1, over[i]);
        experiment_ended_well(experiment, 0, MS, over[i]);
        experiment_failed(experiment, 0, MS, over[i]);
        experiment_excluded(experiment, 0, over[i]);
    }
    after = at(experiment, 0, TICK);
    assert_memory_equal(&before, &after, sizeof before);
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[0].requests, 2);
    assert_int_equal(groups[0].failed, 1);
    experiment_free(experiment);
}

static void the_first_first_byte_counts(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_thresholds limits = thresholds(100000, 10000);
    experiment_set_thresholds(experiment, &limits);
    struct experiment_entry quick = begin(experiment, 0, 1, NOW), slow = begin(experiment, 0, 1, NOW);
    experiment_first_byte(experiment, 0, 9 * MS, &quick);
    experiment_first_byte(experiment, 0, 9 * MS, &quick); // of a second attempt
    experiment_first_byte(experiment, 0, UINT64_MAX / 2, &slow);
    experiment_first_byte(experiment, 0, 9 * MS, &slow);
    assert_int_equal(at(experiment, 0, TICK).within[1], 1);
    experiment_free(experiment);
}

static void a_recycled_tick_is_not_read(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_entry old = begin(experiment, 0, 1, NOW);
    begin(experiment, 0, 1, NOW + EXPERIMENT_RING * EXPERIMENT_TICK_NS);
    struct experiment_cell cell;
    assert_false(experiment_read(experiment, 0, TICK, &cell));
    experiment_failed(experiment, 0, MS, &old); // whose cell has gone
    assert_int_equal(at(experiment, 0, TICK + EXPERIMENT_RING).failed, 0);
    experiment_free(experiment);
}

static void units_arrive_once(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 2);
    uint64_t units[2];
    for (uint64_t unit = 0; unit < 100; unit++)
        for (int again = 0; again < 3; again++)
            begin(experiment, unit % 4 == 0, unit, NOW);
    experiment_arrivals(experiment, 1, units);
    assert_int_equal(units[0], 75);
    assert_int_equal(units[1], 25);
    experiment_arrivals(experiment, 2, units);
    assert_int_equal(units[0], 0);
    // Other weights: everybody is new again, and a request of the plan before does not count.
    experiment_forget_units(experiment);
    struct experiment_arrival arrival = {
        .arm = 1, .unit_hash = 5, .fresh_unit = true, .unit_known = true, .epoch = 2};
    struct experiment_entry entry;
    experiment_begin(experiment, 0, &arrival, NOW, &entry);
    begin(experiment, 0, 6, NOW);
    experiment_arrivals(experiment, 2, units);
    assert_int_equal(units[0], 0);
    assert_int_equal(units[1], 1);
    // Who was sent by a pin or a tester tells nothing of the split.
    arrival.fresh_unit = false;
    arrival.unit_hash = 8;
    experiment_begin(experiment, 0, &arrival, NOW, &entry);
    experiment_arrivals(experiment, 2, units);
    assert_int_equal(units[1], 1);
    arrival.fresh_unit = true;
    // Without a unit every request is one.
    arrival.unit_known = false;
    for (int i = 0; i < 5; i++)
        experiment_begin(experiment, 0, &arrival, NOW, &entry);
    experiment_arrivals(experiment, 2, units);
    assert_int_equal(units[1], 6);
    experiment_free(experiment);
}

static void groups_begin_anew(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(2, 1);
    uint64_t unit = UINT64_C(77) << 54;
    struct experiment_entry entry = begin(experiment, 0, unit, NOW);
    experiment_ended_well(experiment, 0, MS, &entry);
    struct experiment_group groups[EXPERIMENT_GROUPS];
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[77].requests, 1);
    experiment_reset_groups(experiment);
    entry = begin(experiment, 0, unit, NOW);
    experiment_failed(experiment, 0, MS, &entry);
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[77].requests, 1);
    assert_int_equal(groups[77].failed, 1);
    experiment_free(experiment);
}

// Each field of each group, those of a mean too.
static void groups_are_added(void **state) {
    (void)state;
    static struct experiment_group sum[EXPERIMENT_GROUPS], more[EXPERIMENT_GROUPS];
    for (uint32_t k = 0; k < EXPERIMENT_GROUPS; k++) {
        sum[k] = (struct experiment_group){1, 2, {3, 4}, {5, 6}, {0.5, -1}};
        more[k] = (struct experiment_group){k, 10 * k, {100 * k, 7}, {8, 9 * k}, {0.25, k}};
    }
    experiment_groups_add(sum, more);
    for (uint32_t k = 0; k < EXPERIMENT_GROUPS; k++) {
        assert_int_equal(sum[k].requests, 1 + k);
        assert_int_equal(sum[k].failed, 2 + 10 * k);
        assert_int_equal(sum[k].slow[0], 3 + 100 * k);
        assert_int_equal(sum[k].slow[1], 11);
        assert_int_equal(sum[k].values[MEAN_COST], 13);
        assert_int_equal(sum[k].values[MEAN_TOKENS_PER_SECOND], 6 + 9 * k);
        assert_true(sum[k].sums[MEAN_COST] == 0.75);
        assert_true(sum[k].sums[MEAN_TOKENS_PER_SECOND] == (double)k - 1);
    }
}

static void values_are_summed(void **state) {
    (void)state;
    struct experiment *experiment = experiment_new(1, 1);
    struct experiment_entry entry = begin(experiment, 0, 1, NOW), other = begin(experiment, 0, 2, NOW);
    experiment_value(experiment, 0, MEAN_COST, 0.5, &entry);
    experiment_value(experiment, 0, MEAN_COST, 1.5, &other);
    struct experiment_cell cell = at(experiment, 0, TICK);
    assert_int_equal(cell.means[MEAN_COST].count, 2);
    assert_float_equal(cell.means[MEAN_COST].sum, 2.0, 1e-12);
    assert_float_equal(cell.means[MEAN_COST].squares, 2.5, 1e-12);
    assert_int_equal(cell.means[MEAN_TOKENS_PER_SECOND].count, 0);
    struct experiment_group groups[EXPERIMENT_GROUPS]; // units 1 and 2 are of one group
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[0].values[MEAN_COST], 2);
    assert_true(groups[0].sums[MEAN_COST] == 2.0);
    experiment_reset_groups(experiment);
    experiment_value(experiment, 0, MEAN_COST, 4, &entry);
    experiment_groups(experiment, 0, groups);
    assert_int_equal(groups[0].values[MEAN_COST], 1);
    assert_true(groups[0].sums[MEAN_COST] == 4.0);
    experiment_free(experiment);
}

static void kept_by_name(void **state) {
    (void)state;
    struct registry *registry = registry_new(1);
    struct experiment *first = registry_experiment(registry, "chat", "stable,canary", 3);
    assert_int_equal(experiment_arms(first), 3);
    assert_ptr_equal(first, registry_experiment(registry, "chat", "stable,canary", 3));
    struct experiment *other = registry_experiment(registry, "chat", "canary,stable", 3);
    struct experiment *route = registry_experiment(registry, "voice", "stable,canary", 3);
    assert_ptr_not_equal(first, other);
    assert_ptr_not_equal(first, route);
    experiment_unref(route);
    experiment_unref(first);
    experiment_unref(other);
    registry_sweep(registry);
    assert_ptr_equal(first,
                     registry_experiment(registry, "chat", "stable,canary", 3)); // one reference was left
    registry_free(registry);
}

// Two workers count while the control thread reads and changes thresholds: no tick is ever read that does not
// add up. (The sanitizer build looks for races.) The workers stay in sight of the reader, whose tick is never
// recycled then, however the three get the cores.
struct busy {
    struct experiment *experiment;
    unsigned lane;
    uint64_t now;
    uint64_t *reading; // the reader's tick
    bool *stop;
};
static bool ahead(const struct busy *busy, uint64_t now) {
    return now / EXPERIMENT_TICK_NS >= __atomic_load_n(busy->reading, __ATOMIC_RELAXED) + EXPERIMENT_RING / 4;
}
static void *work(void *context) {
    struct busy *busy = context;
    for (uint64_t now = busy->now; !__atomic_load_n(busy->stop, __ATOMIC_RELAXED); now += MS) {
        while (ahead(busy, now) && !__atomic_load_n(busy->stop, __ATOMIC_RELAXED))
            sched_yield();
        struct experiment_arrival arrival = {.arm = 0,
                                             .unit_hash = now * UINT64_C(0x9e3779b97f4a7c15),
                                             .fresh_unit = true,
                                             .unit_known = true,
                                             .epoch = 1};
        struct experiment_entry entry;
        experiment_begin(busy->experiment, busy->lane, &arrival, now, &entry);
        experiment_first_byte(busy->experiment, busy->lane, MS, &entry);
        if (now / MS % 10 == 0)
            experiment_failed(busy->experiment, busy->lane, MS, &entry);
        else
            experiment_ended_well(busy->experiment, busy->lane, MS, &entry);
    }
    return NULL;
}

static void counted_and_read_at_once(void **state) {
    (void)state;
    bool stop = false;
    struct experiment *experiment = experiment_new(2, 2);
    struct experiment_thresholds limits = thresholds(100000, 10000);
    experiment_set_thresholds(experiment, &limits);
    uint64_t tick = TICK;
    struct busy busy[2] = {{experiment, 0, NOW, &tick, &stop}, {experiment, 1, NOW, &tick, &stop}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &busy[i]), 0);
    while (tick < TICK + 2 * EXPERIMENT_RING) {
        struct experiment_cell cell;
        assert_true(experiment_read(experiment, 0, tick, &cell));
        if (cell.started < 2 * EXPERIMENT_TICK_NS / MS) { // a worker is still in it
            sched_yield();
            continue;
        }
        assert_int_equal(cell.started, 2 * EXPERIMENT_TICK_NS / MS);
        assert_true(cell.failed + cell.within[0] <= cell.started);
        assert_true(cell.failed <= 2 * 25);
        __atomic_store_n(&tick, tick + 1, __ATOMIC_RELAXED);
        experiment_set_thresholds(experiment, &limits);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    experiment_free(experiment);
}

int test_experiment(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_start),
        cmocka_unit_test(past_the_horizon_is_no_error),
        cmocka_unit_test(a_failure_counts_once),
        cmocka_unit_test(thresholds_are_those_of_the_tick),
        cmocka_unit_test(excluded_is_taken_out_whole),
        cmocka_unit_test(what_outlasts_the_ring_is_slow),
        cmocka_unit_test(what_is_over_stays_as_it_is),
        cmocka_unit_test(the_first_first_byte_counts),
        cmocka_unit_test(a_recycled_tick_is_not_read),
        cmocka_unit_test(units_arrive_once),
        cmocka_unit_test(groups_begin_anew),
        cmocka_unit_test(groups_are_added),
        cmocka_unit_test(values_are_summed),
        cmocka_unit_test(kept_by_name),
        cmocka_unit_test(counted_and_read_at_once),
    };
    return cmocka_run_group_tests_name("experiment", tests, NULL, NULL);
}

#include "metrics/experiment.h"

#include "base/counter.h"
#include <string.h>

#define RELAXED(field)        __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define ACQUIRE(field)        __atomic_load_n(&(field), __ATOMIC_ACQUIRE)
#define STORE(field, value)   __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
#define RELEASE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)
#define SEEN_WORDS            (EXPERIMENT_UNITS / 64)

struct arm_lane { // one worker's, one arm's
    struct experiment_cell ring[EXPERIMENT_RING];
    struct experiment_group groups[EXPERIMENT_GROUPS];
};
struct lane {
    struct arm_lane *arms[EXPERIMENT_ARMS]; // taken at the first request
    uint32_t epoch;                         // that `units` were counted under
    uint64_t units[EXPERIMENT_ARMS];
};
struct experiment {
    struct refcount refs;
    unsigned lane_count;
    size_t arm_count;
    struct lane **lanes;
    uint64_t horizon_ns;
    uint32_t version; // of the thresholds; odd while they change
    struct experiment_thresholds thresholds;
    struct experiment_group *groups_before; // by arm: what the reset left behind; control thread only
    uint64_t seen[SEEN_WORDS];
};

static inline void add(uint32_t *field, uint32_t n) {
    STORE(*field, RELAXED(*field) + n);
}

static inline void add_double(double *field, double value) {
    double sum;
    __atomic_load(field, &sum, __ATOMIC_RELAXED);
    sum += value;
    __atomic_store(field, &sum, __ATOMIC_RELAXED);
}

struct experiment *experiment_new(unsigned lanes, size_t arms) {
    must(arms > 0 && arms <= EXPERIMENT_ARMS);
    struct experiment *experiment = mem_zero(1, sizeof *experiment);
    refcount_init(&experiment->refs);
    experiment->lane_count = lanes;
    experiment->arm_count = arms;
    experiment->horizon_ns = UINT64_C(30000000000);
    experiment->lanes = mem_zero(lanes, sizeof *experiment->lanes);
    experiment->groups_before = mem_zero(arms * EXPERIMENT_GROUPS, sizeof *experiment->groups_before);
    for (unsigned i = 0; i < lanes; i++)
        experiment->lanes[i] = mem_zero_aligned(64, sizeof **experiment->lanes);
    return experiment;
}

void experiment_free(struct experiment *experiment) {
    if (!experiment)
        return;
    for (unsigned i = 0; i < experiment->lane_count; i++) {
        for (size_t arm = 0; arm < experiment->arm_count; arm++)
            mem_free(experiment->lanes[i]->arms[arm]);
        mem_free(experiment->lanes[i]);
    }
    mem_free(experiment->lanes);
    mem_free(experiment->groups_before);
    mem_free(experiment);
}

struct experiment *experiment_ref(struct experiment *experiment) {
    refcount_take(&experiment->refs);
    return experiment;
}

void experiment_unref(struct experiment *experiment) {
    if (experiment)
        must(!refcount_drop(&experiment->refs));
}

bool experiment_unused(const struct experiment *experiment) {
    return atomic_load_explicit(&experiment->refs.count, memory_order_acquire) == 1;
}

size_t experiment_arms(const struct experiment *experiment) {
    return experiment->arm_count;
}

// ---- the workers

static struct arm_lane *arm_lane_of(struct experiment *experiment, unsigned lane, size_t arm) {
    struct arm_lane **at = &experiment->lanes[lane]->arms[arm];
    struct arm_lane *found = RELAXED(*at);
    if (!found) {
        found = mem_zero_aligned(64, sizeof *found);
        __atomic_store_n(at, found, __ATOMIC_RELEASE);
    }
    return found;
}

// The thresholds as the tick begins. Whoever reads the version twice and finds it the same has read them
// whole: all loads and stores between are ordered.
static void take_thresholds(const struct experiment *experiment, size_t arm, struct experiment_cell *cell) {
    uint32_t version = ACQUIRE(experiment->version);
    for (int i = 0; i < EXPERIMENT_SLOTS; i++)
        RELEASE(cell->limit_us[i], ACQUIRE(experiment->thresholds.limit_us[arm][i]));
    RELEASE(cell->first_byte, ACQUIRE(experiment->thresholds.first_byte));
    bool whole = !(version & 1) && RELAXED(experiment->version) == version;
    RELEASE(cell->version, whole ? version : 0);
}

// The reader sees `tick` change before anything else of the cell does, and again after.
static void recycle(const struct experiment *experiment, size_t arm, struct experiment_cell *cell,
                    uint64_t tick) {
    double zero = 0; // clang 14 takes no pointer to const here
    STORE(cell->tick, 0);
    RELEASE(cell->started, 0);
    RELEASE(cell->excluded, 0);
    RELEASE(cell->failed_soon, 0);
    RELEASE(cell->failed, 0);
    for (int i = 0; i < EXPERIMENT_SLOTS; i++)
        RELEASE(cell->within[i], 0);
    for (int i = 0; i < EXPERIMENT_MEANS; i++) {
        RELEASE(cell->means[i].count, 0);
        __atomic_store(&cell->means[i].sum, &zero, __ATOMIC_RELEASE);
        __atomic_store(&cell->means[i].squares, &zero, __ATOMIC_RELEASE);
    }
    take_thresholds(experiment, arm, cell);
    RELEASE(cell->tick, tick);
}

// The cell a request was credited to; NULL when it is so old that another tick has taken its place.
static struct experiment_cell *cell_of(struct experiment *experiment, unsigned lane,
                                       const struct experiment_entry *entry) {
    struct experiment_cell *cell =
        &arm_lane_of(experiment, lane, entry->arm)->ring[entry->tick % EXPERIMENT_RING];
    return RELAXED(cell->tick) == entry->tick ? cell : NULL;
}

static bool first_seen(struct experiment *experiment, uint64_t unit_hash) {
    uint64_t *word = &experiment->seen[(unit_hash % EXPERIMENT_UNITS) / 64];
    uint64_t bit = UINT64_C(1) << unit_hash % 64;
    if (RELAXED(*word) & bit)
        return false;
    return !(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit);
}

static void note_arrival(struct experiment *experiment, unsigned index,
                         const struct experiment_arrival *arrival) {
    struct lane *lane = experiment->lanes[index];
    uint32_t epoch = RELAXED(lane->epoch);
    if ((int32_t)(arrival->epoch - epoch) < 0 ||
        (arrival->unit_known && !first_seen(experiment, arrival->unit_hash)))
        return; // under weights of before, or seen already
    if (epoch != arrival->epoch) {
        for (size_t i = 0; i < experiment->arm_count; i++)
            STORE(lane->units[i], 0);
        __atomic_store_n(&lane->epoch, arrival->epoch, __ATOMIC_RELEASE);
    }
    counter_add(&lane->units[arrival->arm], 1);
}

void experiment_begin(struct experiment *experiment, unsigned lane, const struct experiment_arrival *arrival,
                      uint64_t now_ns, struct experiment_entry *entry) {
    struct arm_lane *arm = arm_lane_of(experiment, lane, arrival->arm);
    *entry = (struct experiment_entry){
        .tick = experiment_tick(now_ns),
        .arm = (uint16_t)arrival->arm,
        .counted = true,
        .group = (uint32_t)(arrival->unit_hash >> 54),
    };
    struct experiment_cell *cell = &arm->ring[entry->tick % EXPERIMENT_RING];
    if (RELAXED(cell->tick) != entry->tick)
        recycle(experiment, arrival->arm, cell, entry->tick);
    add(&cell->started, 1);
    if (arrival->fresh_unit)
        note_arrival(experiment, lane, arrival);
}

static uint32_t microseconds(uint64_t ns) {
    uint64_t us = ns / 1000 + 1; // a limit of 0 is never kept
    return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

// Bits of the slots, of the kind asked for, whose threshold the time does not exceed.
static unsigned slots_within(const struct experiment_cell *cell, bool first_byte, uint64_t took_ns) {
    uint32_t kinds = RELAXED(cell->first_byte), us = microseconds(took_ns);
    unsigned bits = 0;
    for (unsigned i = 0; i < EXPERIMENT_SLOTS; i++)
        if (((kinds >> i & 1) != 0) == first_byte && us <= RELAXED(cell->limit_us[i]))
            bits |= 1u << i;
    return bits;
}

static void credit(struct experiment_cell *cell, unsigned bits, uint32_t by) {
    for (int i = 0; i < EXPERIMENT_SLOTS; i++)
        if (bits >> i & 1)
            add(&cell->within[i], by);
}

void experiment_first_byte(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                           struct experiment_entry *entry) {
    struct experiment_cell *cell = entry->counted && !entry->failed ? cell_of(experiment, lane, entry) : NULL;
    if (!cell || entry->first_byte_noted)
        return;
    entry->first_byte_noted = true;
    entry->within_first_byte = (uint8_t)slots_within(cell, true, took_ns);
    credit(cell, entry->within_first_byte, 1);
}

static struct experiment_group *group_of(struct experiment *experiment, unsigned lane,
                                         const struct experiment_entry *entry) {
    return &arm_lane_of(experiment, lane, entry->arm)->groups[entry->group % EXPERIMENT_GROUPS];
}

static void note_in_group(struct experiment *experiment, struct experiment_group *group, bool failed,
                          unsigned within) {
    add(&group->requests, 1);
    if (failed)
        add(&group->failed, 1);
    for (int i = 0; i < 2; i++) {
        uint32_t slot = RELAXED(experiment->thresholds.group_slot[i]);
        if (slot < EXPERIMENT_SLOTS && !(within >> slot & 1))
            add(&group->slow[i], 1);
    }
}

void experiment_failed(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                       struct experiment_entry *entry) {
    if (!entry->counted || entry->failed)
        return;
    entry->failed = true;
    note_in_group(experiment, group_of(experiment, lane, entry), true, 0);
    struct experiment_cell *cell = cell_of(experiment, lane, entry);
    if (!cell)
        return;
    if (took_ns <= EXPERIMENT_SOON_NS)
        add(&cell->failed_soon, 1);
    if (took_ns <= RELAXED(experiment->horizon_ns))
        add(&cell->failed, 1);
}

void experiment_ended_well(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                           struct experiment_entry *entry) {
    if (!entry->counted || entry->failed)
        return;
    entry->counted = false;
    struct experiment_cell *cell = cell_of(experiment, lane, entry);
    unsigned within = cell ? slots_within(cell, false, took_ns) : 0; // what outlasts the ring is slow
    note_in_group(experiment, group_of(experiment, lane, entry), false, within | entry->within_first_byte);
    if (cell)
        credit(cell, within, 1);
}

void experiment_excluded(struct experiment *experiment, unsigned lane, struct experiment_entry *entry) {
    if (!entry->counted || entry->failed)
        return;
    struct experiment_cell *cell = cell_of(experiment, lane, entry);
    if (cell) {
        add(&cell->excluded, 1);
        credit(cell, entry->within_first_byte, (uint32_t)-1);
    }
    entry->counted = false;
}

void experiment_value(struct experiment *experiment, unsigned lane, enum experiment_mean mean, double value,
                      const struct experiment_entry *entry) {
    struct experiment_cell *cell = entry->counted && !entry->failed ? cell_of(experiment, lane, entry) : NULL;
    if (!cell)
        return;
    struct experiment_group *group = group_of(experiment, lane, entry);
    counter_add(&cell->means[mean].count, 1);
    add_double(&cell->means[mean].sum, value);
    add_double(&cell->means[mean].squares, value * value);
    add(&group->values[mean], 1);
    add_double(&group->sums[mean], value);
}

// ---- the control thread

uint32_t experiment_set_thresholds(struct experiment *experiment,
                                   const struct experiment_thresholds *thresholds) {
    uint32_t version = experiment->version;
    RELEASE(experiment->version, version + 1);
    for (size_t arm = 0; arm < experiment->arm_count; arm++)
        for (int i = 0; i < EXPERIMENT_SLOTS; i++)
            RELEASE(experiment->thresholds.limit_us[arm][i], thresholds->limit_us[arm][i]);
    RELEASE(experiment->thresholds.first_byte, thresholds->first_byte);
    for (int i = 0; i < 2; i++)
        RELEASE(experiment->thresholds.group_slot[i], thresholds->group_slot[i]);
    version = version + 2 ? version + 2 : 2; // 0 stands for none
    RELEASE(experiment->version, version);
    return version;
}

void experiment_set_horizon(struct experiment *experiment, uint64_t horizon_ns) {
    STORE(experiment->horizon_ns, horizon_ns);
}

static double acquire_double(const double *field) {
    double value;
    __atomic_load(field, &value, __ATOMIC_ACQUIRE);
    return value;
}

// Every load is ordered before the second look at the tick.
static void merge(const struct experiment_cell *from, bool first, struct experiment_cell *cell) {
    uint32_t version = ACQUIRE(from->version);
    cell->version = first || cell->version == version ? version : 0;
    cell->first_byte = ACQUIRE(from->first_byte);
    cell->started += ACQUIRE(from->started);
    cell->excluded += ACQUIRE(from->excluded);
    cell->failed_soon += ACQUIRE(from->failed_soon);
    cell->failed += ACQUIRE(from->failed);
    for (int i = 0; i < EXPERIMENT_SLOTS; i++) {
        cell->limit_us[i] = ACQUIRE(from->limit_us[i]);
        cell->within[i] += ACQUIRE(from->within[i]);
    }
    for (int i = 0; i < EXPERIMENT_MEANS; i++) {
        cell->means[i].count += ACQUIRE(from->means[i].count);
        cell->means[i].sum += acquire_double(&from->means[i].sum);
        cell->means[i].squares += acquire_double(&from->means[i].squares);
    }
}

bool experiment_read(const struct experiment *experiment, size_t arm, uint64_t tick,
                     struct experiment_cell *cell) {
    bool first = true;
    *cell = (struct experiment_cell){.tick = tick};
    for (unsigned i = 0; i < experiment->lane_count; i++) {
        const struct arm_lane *lane = __atomic_load_n(&experiment->lanes[i]->arms[arm], __ATOMIC_ACQUIRE);
        if (!lane)
            continue;
        const struct experiment_cell *at = &lane->ring[tick % EXPERIMENT_RING];
        uint64_t held = __atomic_load_n(&at->tick, __ATOMIC_ACQUIRE);
        if (held > tick)
            return false;
        if (held != tick)
            continue;
        merge(at, first, cell);
        first = false;
        if (RELAXED(at->tick) != tick)
            return false;
    }
    return true;
}

static void sum_groups(const struct experiment *experiment, size_t arm, struct experiment_group *groups) {
    memset(groups, 0, EXPERIMENT_GROUPS * sizeof *groups);
    for (unsigned lane_index = 0; lane_index < experiment->lane_count; lane_index++) {
        const struct arm_lane *lane =
            __atomic_load_n(&experiment->lanes[lane_index]->arms[arm], __ATOMIC_ACQUIRE);
        for (size_t k = 0; lane && k < EXPERIMENT_GROUPS; k++) {
            groups[k].requests += RELAXED(lane->groups[k].requests);
            groups[k].failed += RELAXED(lane->groups[k].failed);
            groups[k].slow[0] += RELAXED(lane->groups[k].slow[0]);
            groups[k].slow[1] += RELAXED(lane->groups[k].slow[1]);
            for (int i = 0; i < EXPERIMENT_MEANS; i++) {
                groups[k].values[i] += RELAXED(lane->groups[k].values[i]);
                groups[k].sums[i] += acquire_double(&lane->groups[k].sums[i]);
            }
        }
    }
}

void experiment_groups(const struct experiment *experiment, size_t arm, struct experiment_group *groups) {
    sum_groups(experiment, arm, groups);
    const struct experiment_group *before = experiment->groups_before + arm * EXPERIMENT_GROUPS;
    for (size_t k = 0; k < EXPERIMENT_GROUPS; k++) {
        groups[k].requests -= before[k].requests;
        groups[k].failed -= before[k].failed;
        groups[k].slow[0] -= before[k].slow[0];
        groups[k].slow[1] -= before[k].slow[1];
        for (int i = 0; i < EXPERIMENT_MEANS; i++) {
            groups[k].values[i] -= before[k].values[i];
            groups[k].sums[i] -= before[k].sums[i];
        }
    }
}

void experiment_reset_groups(struct experiment *experiment) {
    for (size_t arm = 0; arm < experiment->arm_count; arm++)
        sum_groups(experiment, arm, experiment->groups_before + arm * EXPERIMENT_GROUPS);
}

void experiment_arrivals(const struct experiment *experiment, uint32_t epoch, uint64_t *units) {
    memset(units, 0, experiment->arm_count * sizeof *units);
    for (unsigned i = 0; i < experiment->lane_count; i++) {
        const struct lane *lane = experiment->lanes[i];
        if (__atomic_load_n(&lane->epoch, __ATOMIC_ACQUIRE) != epoch)
            continue;
        for (size_t arm = 0; arm < experiment->arm_count; arm++)
            units[arm] += counter_read(&lane->units[arm]);
    }
}

void experiment_forget_units(struct experiment *experiment) {
    for (size_t i = 0; i < SEEN_WORDS; i++)
        STORE(experiment->seen[i], 0);
}

static void grow(uint32_t *count, uint32_t more) {
    if (__builtin_add_overflow(*count, more, count))
        *count = UINT32_MAX;
}

void experiment_groups_add(struct experiment_group *groups, const struct experiment_group *more) {
    for (size_t k = 0; k < EXPERIMENT_GROUPS; k++) {
        grow(&groups[k].requests, more[k].requests);
        grow(&groups[k].failed, more[k].failed);
        grow(&groups[k].slow[0], more[k].slow[0]);
        grow(&groups[k].slow[1], more[k].slow[1]);
        for (int i = 0; i < EXPERIMENT_MEANS; i++) {
            grow(&groups[k].values[i], more[k].values[i]);
            groups[k].sums[i] += more[k].sums[i];
        }
    }
}

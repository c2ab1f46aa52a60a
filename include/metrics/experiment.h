// experiment: what the workers count of one route with a rollout, so that the control thread can judge its
// variants. Kept apart from the counters that people see (metrics/variant.h), because evidence has rules of
// its own (docs/statistics.md):
//   - a request is credited to the tick in which it STARTED, never to the one in which it ended: errors end
//   first
//     and streams end late, so that a young variant's ended requests are nearly all errors;
//   - a tick is read once it has matured, the same time after its end for every arm; what has not ended by
//   then is
//     neither an error nor fast;
//   - thresholds of latency are fixed before the tick begins.
// Writers: each worker its own lane. Reader: the control thread. No locks; every field is read and written
// atomically, and a cell is recycled under its `tick`. Per lane and arm 112 KiB, taken at the first request.
#pragma once
#include "base/refcount.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPERIMENT_TICK_NS UINT64_C(250000000)
#define EXPERIMENT_RING    512                 // ticks that are kept: 128 s; a power of two
#define EXPERIMENT_SLOTS   8                   // thresholds of latency
#define EXPERIMENT_GROUPS  1024                // of units, by their hash: for the design effect
#define EXPERIMENT_ARMS    17                  // the variants a route may have, and the control slice
#define EXPERIMENT_UNITS   (UINT32_C(1) << 20) // bits for units that were seen

// A failure within this of the request's start also counts as `failed_soon`: what a dead variant shows.
#define EXPERIMENT_SOON_NS EXPERIMENT_TICK_NS

enum experiment_mean { MEAN_COST, MEAN_TOKENS_PER_SECOND, EXPERIMENT_MEANS };

struct experiment_sum {
    uint64_t count;
    double sum, squares;
};

// One tick of one arm: in a worker's ring, and summed over the workers for the reader.
struct experiment_cell {
    uint64_t tick;    // which one: its number since the clock's zero; 0: none
    uint32_t version; // of the thresholds it began with; 0: they were changing, `within` means nothing
    uint32_t first_byte, limit_us[EXPERIMENT_SLOTS]; // those thresholds
    uint32_t started;                                // primary requests that chose this arm
    uint32_t excluded;                 // of them: 4xx, gone clients, what the proxy itself refused
    uint32_t failed_soon, failed;      // failed within EXPERIMENT_SOON_NS, within the horizon
    uint32_t within[EXPERIMENT_SLOTS]; // came out well and at or below the slot's threshold
    struct experiment_sum means[EXPERIMENT_MEANS]; // of requests that ended well within the horizon
};

struct experiment_group {               // of units; cumulative since the experiment began or was reset
    uint32_t requests, failed, slow[2]; // slow: by the thresholds' group_slot
    uint32_t values[EXPERIMENT_MEANS];  // how many
    double sums[EXPERIMENT_MEANS];      // of them
};

struct experiment_thresholds {
    uint32_t limit_us[EXPERIMENT_ARMS][EXPERIMENT_SLOTS]; // most that is not slow; 0: the slot is not used
    uint32_t first_byte;    // bit i: slot i is about the first byte, not the whole request
    uint32_t group_slot[2]; // slots that `slow` of the groups is about; EXPERIMENT_SLOTS: none
};

struct experiment;
// A request as the worker remembers it between its start and its end; zeroed: it is not counted.
struct experiment_entry {
    uint64_t tick;
    uint16_t arm;
    bool counted, first_byte_noted, failed; // failed: said already
    uint8_t within_first_byte;              // bits by slot that were credited at the first byte
    uint32_t group;
};

// ---- the workers; `lane` is the worker's index, `now_ns` the monotonic clock

// The request of a unit begins. `fresh_unit`: decided by its bucket, so that its arrival counts for the
// sample ratio; `unit_known`: the hash is a unit's, not a random number. `epoch` is the plan's
// (experiment_arrivals).
struct experiment_arrival {
    size_t arm;
    uint64_t unit_hash;
    bool fresh_unit, unit_known;
    uint32_t epoch;
};
void experiment_begin(struct experiment *experiment, unsigned lane, const struct experiment_arrival *arrival,
                      uint64_t now_ns, struct experiment_entry *entry);
// The first byte of an answer that is no failure and no 4xx.
void experiment_first_byte(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                           struct experiment_entry *entry);
// The first attempt failed, or the whole request did; the first call counts. What follows changes nothing
// more.
void experiment_failed(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                       struct experiment_entry *entry);
void experiment_ended_well(struct experiment *experiment, unsigned lane, uint64_t took_ns,
                           struct experiment_entry *entry);
void experiment_excluded(struct experiment *experiment, unsigned lane, struct experiment_entry *entry);
void experiment_value(struct experiment *experiment, unsigned lane, enum experiment_mean mean, double value,
                      const struct experiment_entry *entry);

// ---- the control thread

// Only by the registry, which keeps a reference and frees what nobody else refers to (registry_experiment).
struct experiment *experiment_new(unsigned lanes, size_t arms);
void experiment_free(struct experiment *experiment);
struct experiment *experiment_ref(struct experiment *experiment);
void experiment_unref(struct experiment *experiment); // any thread; freed by the registry's next sweep
bool experiment_unused(const struct experiment *experiment);

size_t experiment_arms(const struct experiment *experiment);
// Ticks that begin from now on are counted against these. Returns their version, never 0.
uint32_t experiment_set_thresholds(struct experiment *experiment,
                                   const struct experiment_thresholds *thresholds);
void experiment_set_horizon(struct experiment *experiment, uint64_t horizon_ns);
static inline uint64_t experiment_tick(uint64_t now_ns) {
    return now_ns / EXPERIMENT_TICK_NS;
}
// The sum over all lanes of what is counted of a tick; all zeros where nothing was. `version` is 0 when the
// lanes counted by different thresholds. False: the tick is so old that a lane has recycled it.
bool experiment_read(const struct experiment *experiment, size_t arm, uint64_t tick,
                     struct experiment_cell *cell);
// Sums of the groups over all lanes since the last reset; `groups` has EXPERIMENT_GROUPS items.
void experiment_groups(const struct experiment *experiment, size_t arm, struct experiment_group *groups);
// What `more` has is added, group by group; counts end at the most that there is room for.
void experiment_groups_add(struct experiment_group *groups, const struct experiment_group *more);
// First-seen units by arm under the weights of `epoch`; units has room for all arms.
void experiment_arrivals(const struct experiment *experiment, uint32_t epoch, uint64_t *units);
// Units count as not seen again: the weights change (the plan that carries them has another epoch).
void experiment_forget_units(struct experiment *experiment);
// Another experiment begins: groups start at zero. (Ticks are left behind by whoever reads them in order.)
void experiment_reset_groups(struct experiment *experiment);

// witness: what the clients of the demo saw, per variant: over the last seconds and since the start. Owner:
// demo_main; one thread. Times are clock_monotonic_ns.
#pragma once
#include "base/histogram.h"
#include <stdbool.h>
#include <stdint.h>

#define WITNESS_VARIANTS 8
#define WITNESS_SLOTS    7 // of a second: the window is the full ones
#define WITNESS_NAME     64

struct witness_count {
    uint64_t requests, errors;
    struct histogram whole,
        first_byte; // microseconds: plain answers to their end, streams to their beginning
};
struct witness_variant {
    char name[WITNESS_NAME]; // "" for answers that named no variant
    uint64_t users;          // whose latest answer came from it
    struct witness_count total, slots[WITNESS_SLOTS];
};
struct witness {
    struct witness_variant variants[WITNESS_VARIANTS];
    int count;
    uint8_t *user_variant; // index + 1; 0: not seen yet
    unsigned users, users_seen, users_moved;
    uint64_t requests, failures; // failures: those that should not have been
    uint64_t begun_ns, second;   // the second that slots[second % WITNESS_SLOTS] is of
};
// One answer, or the lack of it.
struct witness_visit {
    const char *variant; // NULL or "": not named
    unsigned user;
    bool stream, good;
    int status;    // 0: no answer came
    bool expected; // that it is not good
    uint64_t duration_us;
};
// What is shown of one variant.
struct witness_figures {
    double requests_share, users_share; // 0..1
    double per_second;
    uint64_t requests, errors;
    double p50_ms, p95_ms, first_byte_ms; // 0: none
};

struct witness *witness_new(unsigned users, uint64_t now_ns);
void witness_free(struct witness *witness);
// Moves the window to `now`; before adding and reading.
void witness_advance(struct witness *witness, uint64_t now_ns);
void witness_add(struct witness *witness, const struct witness_visit *visit);
// Over the window of full seconds, or since the start. `index` < count.
void witness_read(const struct witness *witness, int index, bool total, uint64_t now_ns,
                  struct witness_figures *figures);
// The index of a variant, -1 when nothing was seen of it.
int witness_find(const struct witness *witness, const char *name);

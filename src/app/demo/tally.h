// tally: what the clients of the demo saw, per variant: over the last seconds and since the start. Owner:
// demo_main; one thread. Times are clock_monotonic_ns.
#pragma once
#include "base/histogram.h"
#include <stdbool.h>
#include <stdint.h>

#define TALLY_VARIANTS 8
#define TALLY_SLOTS    7 // of a second: the window is the full ones
#define TALLY_NAME     64

struct tally_count {
    uint64_t requests, errors;
    struct histogram whole,
        first_byte; // microseconds: plain answers to their end, streams to their beginning
};
struct tally_variant {
    char name[TALLY_NAME]; // "" for answers that named no variant
    uint64_t users;        // whose latest answer came from it
    struct tally_count total, slots[TALLY_SLOTS];
};
struct tally {
    struct tally_variant variants[TALLY_VARIANTS];
    int count;
    uint8_t *user_variant; // index + 1; 0: not seen yet
    unsigned users, users_seen, users_moved;
    uint64_t requests, failures; // failures: those that should not have been
    uint64_t begun_ns, second;   // the second that slots[second % TALLY_SLOTS] is of
};
// One answer, or the lack of it.
struct tally_visit {
    const char *variant; // NULL or "": not named
    unsigned user;
    bool stream, good;
    int status;    // 0: no answer came
    bool expected; // that it is not good
    uint64_t duration_us;
};
// What is shown of one variant.
struct tally_figures {
    double requests_share, users_share; // 0..1
    double per_second;
    uint64_t requests, errors;
    double p50_ms, p95_ms, first_byte_ms; // 0: none
};

struct tally *tally_new(unsigned users, uint64_t now_ns);
void tally_free(struct tally *tally);
// Moves the window to `now`; before adding and reading.
void tally_advance(struct tally *tally, uint64_t now_ns);
void tally_add(struct tally *tally, const struct tally_visit *visit);
// Over the window of full seconds, or since the start. `index` < count.
void tally_read(const struct tally *tally, int index, bool total, uint64_t now_ns,
                struct tally_figures *figures);
// The index of a variant, -1 when nothing was seen of it.
int tally_find(const struct tally *tally, const char *name);

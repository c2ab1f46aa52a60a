// certificates: those that sluice shows to its clients and endpoints, and when they run out. Owner: the
// credentials they were read with, then the control thread; paths and names are the configuration's.
#pragma once
#include "control/outcome.h"
#include "io/tls.h"
#include "metrics/exposition.h"

struct certificate {
    const char *listener, *pool; // who shows it: one of them, the other is NULL
    const char *path;
    struct place place; // of the path
    struct tls_validity validity;
};
struct certificates { // zeroed: none
    struct certificate *items;
    size_t count;
    uint64_t told_ms; // when the log had them last
};
// A file that the same listener or pool shows already is left out.
void certificates_add(struct certificates *certificates, const struct certificate *certificate);
void certificates_free(struct certificates *certificates);

// A warning, with its place, for each that has run out, does so within 14 days, or is not good yet.
void certificates_warn(const struct certificates *certificates, uint64_t now_ms, struct outcome *outcome);
// The same for the log: at the first call, then once a day. True: it was time to.
bool certificates_tick(struct certificates *certificates, uint64_t now_ms);
void certificates_write(const struct certificates *certificates, struct exposition *out); // their metric

// fault: how the canary of `sluice demo --fail KIND` gets worse. Pure.
#pragma once
#include <stdbool.h>

struct fault {
    const char *name;
    const char *change; // of its model server's settings: the body of POST /simulate; NULL: none
    const char *words;  // what becomes of it, after "the canary "
    bool errors;        // its 500s are meant
    double score;       // of 1, that visitors give its answers on average
};

#define FAULT_USUAL "errors" // without a KIND
#define FAULT_KINDS "errors, latency, cost or quality"

// NULL: there is no such kind.
const struct fault *fault_find(const char *name);

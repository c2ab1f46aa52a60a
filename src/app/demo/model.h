// model: what a simulated model server is like (speed, errors) and what it has done. Owner: simulate_main, on
// its stack; one thread. All of it may change while requests are under way.
#pragma once
#include "base/random.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct event_base;

struct model {
    struct event_base *base;
    const char *name;        // of the server, in system_fingerprint and X-Model-Server
    const char *id;          // of the model, in /v1/models and in answers to requests that name none
    uint64_t latency_us;     // to the first byte: the median
    uint64_t jitter_us;      // about the standard deviation of it
    uint64_t token_delay_us; // between two tokens of a stream
    unsigned tokens;         // of an answer
    double error_rate;       // percent of the calls of /v1/ that end with 500
    FILE *log;               // one JSON line per request, or NULL
    struct random_state random;
    bool draining;             // no new connections; ends when `active` is 0
    uint64_t requests, errors; // begun; answered with 500 on purpose
    uint64_t aborted;          // whose client went away before the end
    uint64_t active;           // under way now
};

// How long this request's answer takes to begin: lognormal around the median.
uint64_t model_latency(struct model *model);
// Whether this request is one of those that fail.
bool model_fails(struct model *model);

// gates: what has to be passed before the first step of a rollout: the evaluation file, then every smoke test
// at every endpoint of the candidate's pool that is not drained. The first that fails ends them all. Control
// thread, asynchronous but for reading the file.
#pragma once
#include "control/fetch.h"
#include "upstream/pool.h"

#define GATES_TIMEOUT_MS 30000 // of one smoke test at one endpoint

struct gates_request {
    struct config *config;   // a reference is taken
    size_t route;            // in config; it has a rollout with a candidate
    const struct pool *pool; // the candidate's (rolling: the only one); references to its endpoints are taken
    const char *user_agent;  // outlives the gates
    int64_t timeout_ms;      // 0: GATES_TIMEOUT_MS
};
struct gates;
// `done` is called once, later, never from inside this call; the gates are gone by then. `because` is one
// sentence, borrowed for the call. Without any gate they are passed.
struct gates *gates_run(struct event_base *base, struct fetcher *fetcher, const struct gates_request *request,
                        void (*done)(bool passed, const char *because, void *context), void *context);
void gates_cancel(struct gates *gates); // done is not called any more; NULL is allowed

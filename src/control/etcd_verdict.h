// etcd_verdict: what an answer over HTTP, or the want of one, means for a request to etcd. Pure; any thread.
#pragma once
#include "base/arena.h"
#include "control/fetch.h"
#include "etcd_json.h"

#define ETCD_WHY 400

struct etcd_verdict {
    bool good;          // 2xx, whole
    bool refused;       // etcd's own word on the request: another endpoint would say the same
    bool no_effect;     // of what is not good: certainly not carried out
    bool stale_token;   // a new one may help
    bool too_large;     // more than is taken
    bool fault;         // the endpoint's: another one may be better
    char why[ETCD_WHY]; // of what is not good; without the endpoint's name
};
struct etcd_verdict etcd_verdict(const struct fetch_answer *answer, struct arena *arena);
// Of an error in the stream of a watch.
struct etcd_verdict etcd_verdict_refusal(const struct etcd_refusal *refusal);
// Of why a watch is canceled, in words only ("rpc error: code = Unauthenticated desc = …").
bool etcd_verdict_stale(const char *reason);

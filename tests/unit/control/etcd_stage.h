// etcd_stage: a client of etcd on a test's own event base, and what it was told last, as text.
#pragma once
#include "../../../src/control/etcd.h"

#include <stdbool.h>

struct etcd_stage {
    struct event_base *base;
    struct etcd *etcd;
    // the last call's
    unsigned answers;
    char error[512];           // empty: it was good
    struct etcd_answer answer; // without its pairs
    char pairs[1024];          // "a=1 b=2 "
    // the watch's
    struct etcd_watch *watch; // NULL: none
    bool close_at_once;       // in the first callback that tells events
    unsigned tellings, told, progresses, ends;
    char events[1024]; // "+a=1 -a ", values of 20 bytes at most
    int64_t revision;  // of the last telling
    int64_t progress;  // the last one
    enum etcd_watch_end how;
    char why[512];
    int64_t compacted;
};
// `settings` but for the endpoints and what is zero there.
void etcd_stage_open(struct etcd_stage *stage, const char *const *endpoints, size_t count,
                     struct etcd_settings settings);
void etcd_stage_close(struct etcd_stage *stage);
void etcd_stage_ready(struct etcd_stage *stage); // waits until a range is answered

// For a call's `done` and a watch's; the stage is the context.
void etcd_stage_done(const struct etcd_answer *answer, void *context);
void etcd_stage_watch(struct etcd_stage *stage, const char *prefix, int64_t from_revision);

// Each makes a call and waits for its answer.
void etcd_stage_range(struct etcd_stage *stage, const char *prefix);
void etcd_stage_put(struct etcd_stage *stage, const char *key, const char *value, int64_t lease);
void etcd_stage_delete(struct etcd_stage *stage, const char *prefix);
void etcd_stage_grant(struct etcd_stage *stage, int64_t ttl_s);
void etcd_stage_keep_alive(struct etcd_stage *stage, int64_t lease);
void etcd_stage_txn(struct etcd_stage *stage, const struct etcd_txn *txn);
void etcd_stage_good(const struct etcd_stage *stage); // else the test fails with the error

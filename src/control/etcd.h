// etcd: a client of etcd's v3 API through its JSON gateway: leases, ranges, transactions, watches.
// Source: etcd's API reference v3 (rpc.proto, kv.proto) and "gRPC gateway"; etcd 3.4 and later ("/v3/").
//
// Owner: who made it. Control thread, asynchronous on its event base: nothing blocks, and every callback
// comes from the event loop, never from inside a call of this header. A callback may start, cancel and open
// what it likes but etcd_free. What is passed in is borrowed for the call; what a callback gets is borrowed
// for the callback.
//
// Endpoints: one is in use. When it cannot be reached, does not answer in time, has no leader or answers 5xx,
// the next one (round-robin) is in use from then on. A call that may come twice (range, keep-alive, revoke, a
// txn that only reads) is then repeated there at once; one that may not (grant, txn) only when it certainly
// had no effect. Each call meets every endpoint at most once that way. Watches are not moved: they end.
//
// Every request demands a leader, so that a member that is cut off from the others says so at once instead of
// holding a call for its 7 s, and ends its watches.
//
// With a user name a token is fetched before the first request, and again whenever etcd takes it no longer;
// calls wait for it. Without authentication switched on there, it goes on without. Neither password nor token
// is ever in an error; nothing here logs.
#pragma once
#include "config/config.h"
#include <event2/event.h>

struct etcd_settings {
    const char *const *endpoints; // "http://HOST:PORT" or https, at least one
    size_t endpoint_count;
    const struct pool_tls_config *tls; // for https; NULL: verified by the system's authorities
    const char *username, *password;   // NULL: none
    const char *user_agent;
    int64_t timeout_ms; // of one try of a call, connecting and all, and of a watch's beginning; 0: 5 s
    int64_t ask_ms;     // how often a watch asks etcd for a sign of life; 0: 2 s
};
struct etcd;
struct etcd *etcd_new(struct event_base *base, const struct etcd_settings *settings);
void etcd_free(struct etcd *etcd); // NULL is allowed; cancels all, ends all watches without a word

// ---- what is asked and answered. Keys and values are bytes, of any kind.

struct etcd_pair {
    struct slice key, value;
    int64_t create_revision, mod_revision;
    int64_t lease; // 0: none
    bool deleted;  // of a watch: it is gone since mod_revision; only the key is told
};
struct etcd_answer {
    const char *error; // NULL: it is good. One short sentence that names the endpoint
    bool no_effect;    // of an error: certainly not carried out (nothing was sent, or etcd refused it)
    bool refused;      // of an error: etcd's own word on the request, which another endpoint would say too
    bool too_large;    // of an error: the answer had more than 1 MiB
    int64_t revision;  // of the store, when it was answered
    bool succeeded;    // txn: the compares held
    int64_t lease;     // grant, keep-alive
    int64_t ttl_s;     // the same; keep-alive: 0: the lease is gone
    bool more;         // a range had more than its limit
    const struct etcd_pair *pairs; // of the range, or of all ranges of the txn's branch, in order
    size_t pair_count;
};
struct etcd_range {
    struct slice key; // every key, when it is an empty prefix
    bool prefix;
    int64_t limit;              // 0: none
    struct slice after, before; // of a prefix: only keys between these two, without them; empty: no bound
    int64_t revision;           // as it was then; 0: as it is
    bool descending;            // by key; ascending otherwise
};
struct etcd_compare { // all of a txn's must be equal; a key that is not there has 0 everywhere and no value
    enum etcd_compared {
        ETCD_CREATE_REVISION,
        ETCD_MOD_REVISION,
        ETCD_LEASE,
        ETCD_VALUE,
        ETCD_ALL_OLDER // no key with the prefix `key` was modified at `number` or later
    } what;
    struct slice key;
    int64_t number;     // of all but the value
    struct slice value; // of ETCD_VALUE
};
struct etcd_operation {
    enum etcd_verb { ETCD_PUT, ETCD_DELETE, ETCD_RANGE } verb;
    struct etcd_range at; // put: the key; delete: key and prefix only
    struct slice value;   // put
    int64_t lease;        // put; 0: none
};
struct etcd_txn { // etcd takes 128 operations in a branch and 1.5 MiB, unless told otherwise
    const struct etcd_compare *compares;
    size_t compare_count;
    const struct etcd_operation *then, *otherwise;
    size_t then_count, otherwise_count;
};

// ---- calls. `done` is called once, later; the call is gone by then. An answer of more than 1 MiB is an
// error.

struct etcd_call;
struct etcd_call *etcd_grant(struct etcd *etcd, int64_t ttl_s,
                             void (*done)(const struct etcd_answer *answer, void *context), void *context);
struct etcd_call *etcd_keep_alive(struct etcd *etcd, int64_t lease,
                                  void (*done)(const struct etcd_answer *answer, void *context),
                                  void *context);
// With its keys. Good when there is no such lease.
struct etcd_call *etcd_revoke(struct etcd *etcd, int64_t lease,
                              void (*done)(const struct etcd_answer *answer, void *context), void *context);
struct etcd_call *etcd_range(struct etcd *etcd, const struct etcd_range *range,
                             void (*done)(const struct etcd_answer *answer, void *context), void *context);
struct etcd_call *etcd_txn(struct etcd *etcd, const struct etcd_txn *txn,
                           void (*done)(const struct etcd_answer *answer, void *context), void *context);
void etcd_cancel(struct etcd_call *call); // done is not called any more; it may be carried out all the same

// ---- watches: of all keys with a prefix, from a revision on (0: from now on).

enum etcd_watch_end { ETCD_WATCH_LOST, ETCD_WATCH_COMPACTED };
struct etcd_watcher {
    // In order, each revision's events once, at least one; several revisions may come together. `revision`:
    // everything up to it has been told now, and a watch from revision + 1 goes on where this one was. The
    // events of one revision, when they are many, come in several calls, of which the last one says its
    // revision.
    void (*events)(const struct etcd_pair *pairs, size_t count, int64_t revision, void *context);
    // Nothing more to tell up to this revision. Comes at the beginning of a watch from now on, then as etcd
    // likes (every 10 min by default, --experimental-watch-progress-notify-interval).
    void (*progress)(int64_t revision, void *context);
    // By a fault of any kind. The watch is gone by then; opening the next one is the caller's, after a while.
    // LOST: from the last revision + 1. COMPACTED: events are missing, nothing before compact_revision can be
    // told: read the range and watch from there.
    void (*ended)(enum etcd_watch_end end, const char *why, int64_t compact_revision, void *context);
    void *context;
};
struct etcd_watch;
struct etcd_watch *etcd_watch_open(struct etcd *etcd, struct slice prefix, int64_t from_revision,
                                   const struct etcd_watcher *watcher); // copied
void etcd_watch_close(struct etcd_watch *watch); // nothing is called any more; NULL is allowed

// Since the last sign of life: something was told, or etcd answered that it is there, for which it is asked
// every ask_ms. Before the first, since its opening. The watch is LOST by itself past timeout_ms + ask_ms,
// seen within ask_ms; who needs to know earlier looks here.
int64_t etcd_watch_age_ms(const struct etcd_watch *watch);

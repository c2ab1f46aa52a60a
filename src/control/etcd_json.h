// etcd_json: etcd's messages as JSON, as its gateway has them (proto3's mapping: 64-bit integers are strings,
// bytes are base64, what is absent is zero). Pure; any thread.
#pragma once
#include "base/arena.h"
#include "base/strbuf.h"
#include "etcd.h"

enum etcd_kind { ETCD_CALL_GRANT, ETCD_CALL_KEEP_ALIVE, ETCD_CALL_REVOKE, ETCD_CALL_RANGE, ETCD_CALL_TXN };

// ---- requests, appended to `out`

void etcd_json_grant(int64_t ttl_s, struct strbuf *out);
void etcd_json_lease(int64_t lease, struct strbuf *out); // keep-alive and revoke
void etcd_json_range(const struct etcd_range *range, struct strbuf *out);
void etcd_json_txn(const struct etcd_txn *txn, struct strbuf *out);
void etcd_json_authenticate(const char *username, const char *password, struct strbuf *out);
void etcd_json_watch(struct slice prefix, int64_t from_revision, struct strbuf *out);
void etcd_json_ask(struct strbuf *out); // for a sign of life, on the stream of a watch

// ---- answers. False: it is not such an answer. Keys and values lie in the arena.

bool etcd_json_answer(enum etcd_kind kind, struct slice json, struct arena *arena,
                      struct etcd_answer *answer);
bool etcd_json_token(struct slice json, struct arena *arena, const char **token);

struct etcd_refusal {
    int64_t code;        // gRPC's (status codes of google.rpc.Code)
    const char *message; // in the arena
};
bool etcd_json_refusal(struct slice json, struct arena *arena, struct etcd_refusal *refusal);

struct etcd_news {             // an object of a watch's stream
    struct etcd_refusal error; // message == NULL: none
    bool created, canceled, fragment;
    bool broadcast; // of no watch: the answer to etcd_json_ask
    int64_t revision, compact_revision;
    const char *reason; // of canceled, in the arena; may be NULL
    const struct etcd_pair *pairs;
    size_t pair_count;
};
bool etcd_json_news(struct slice json, struct arena *arena, struct etcd_news *news);

#include "etcd_verdict.h"

#include <stdio.h>
#include <string.h>

// google.rpc.Code
enum {
    INVALID_ARGUMENT = 3,
    NOT_FOUND = 5,
    ALREADY_EXISTS = 6,
    PERMISSION_DENIED = 7,
    RESOURCE_EXHAUSTED = 8,
    FAILED_PRECONDITION = 9,
    OUT_OF_RANGE = 11,
    UNIMPLEMENTED = 12,
    UNAUTHENTICATED = 16,
};

// With these etcd says no. All others (timed out, a leader that was lost, …) leave open what became of it.
static bool is_no(int64_t code) {
    switch (code) {
    case INVALID_ARGUMENT:
    case NOT_FOUND:
    case ALREADY_EXISTS:
    case PERMISSION_DENIED:
    case RESOURCE_EXHAUSTED:
    case FAILED_PRECONDITION:
    case OUT_OF_RANGE:
    case UNIMPLEMENTED:
    case UNAUTHENTICATED:
        return true;
    default:
        return false;
    }
}

// The token is not known any more (it expired, or etcd restarted or has switched authentication off), users
// or roles have changed since it was given, or authentication has been switched on and there is none.
bool etcd_verdict_stale(const char *reason) {
    static const char *const words[] = {"etcdserver: invalid auth token",
                                        "etcdserver: revision of auth store is old",
                                        "etcdserver: user name is empty"};
    for (size_t i = 0; reason && i < sizeof words / sizeof *words; i++)
        if (strstr(reason, words[i]))
            return true;
    return false;
}

struct etcd_verdict etcd_verdict_refusal(const struct etcd_refusal *refusal) {
    // Said by a member that has no leader before it looks at the request, since each demands one.
    bool leaderless = strcmp(refusal->message, "etcdserver: no leader") == 0;
    struct etcd_verdict verdict = {
        .refused = is_no(refusal->code),
        .no_effect = leaderless || is_no(refusal->code),
        .stale_token = refusal->code == UNAUTHENTICATED || etcd_verdict_stale(refusal->message),
        .fault = !is_no(refusal->code),
    };
    snprintf(verdict.why, sizeof verdict.why, "%.200s", refusal->message);
    for (char *at = verdict.why; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    return verdict;
}

struct etcd_verdict etcd_verdict(const struct fetch_answer *answer, struct arena *arena) {
    struct etcd_verdict verdict = {.fault = true, .no_effect = answer->unsent};
    struct etcd_refusal refusal;
    if (answer->error[0]) {
        snprintf(verdict.why, sizeof verdict.why, "%s", answer->error);
        return verdict;
    }
    if (answer->truncated) {
        verdict.fault = false;
        verdict.too_large = true;
        snprintf(verdict.why, sizeof verdict.why, "answered with more than %zu bytes", answer->body.len);
        return verdict;
    }
    if (answer->status >= 200 && answer->status < 300)
        return (struct etcd_verdict){.good = true};
    if (etcd_json_refusal(strbuf_as_slice(&answer->body), arena, &refusal))
        return etcd_verdict_refusal(&refusal);
    snprintf(verdict.why, sizeof verdict.why, "answered %ld", answer->status);
    return verdict;
}

// access: who may change something through the admin API. Pure.
// With a token every such call must carry it. Without one they are accepted only over the unix socket or from
// this machine, and then a browser on this machine must not be able to make them for a foreign page: neither
// by a form or script of another origin, nor through a name that was pointed at 127.0.0.1 (DNS rebinding).
#pragma once
#include "config/network.h"
#include <stdbool.h>

enum access_peer { ACCESS_PEER_UNIX, ACCESS_PEER_LOOPBACK, ACCESS_PEER_REMOTE };
struct access_call { // header values as sent; NULL when absent
    enum access_peer peer;
    struct ip from; // the peer's address
    bool secure;    // came under TLS
    const char *authorization, *host, *origin, *content_type, *fetch_site;
};
enum access_verdict {
    ACCESS_ALLOWED,
    ACCESS_TOKEN_MISSING,
    ACCESS_TOKEN_WRONG,
    ACCESS_NOT_LOCAL,
    ACCESS_FOREIGN_HOST,
    ACCESS_FOREIGN_ORIGIN,
    ACCESS_CONTENT_TYPE,
    ACCESS_VERDICTS
};
enum access_verdict access_judge(const struct access_call *call,
                                 const char *token);         // token NULL: none is set
const char *access_message(enum access_verdict verdict);     // a sentence
const char *access_reason_name(enum access_verdict verdict); // "token_wrong"

// view: what the decision may look at of one request. Pure; lives as long as the head's bytes and the arena.
#pragma once
#include "base/arena.h"
#include "http/head.h"
#include "http/uri.h"

struct request_view {
    const struct head *head;
    struct uri uri;
    struct slice host;      // lower case not guaranteed; without port
    struct slice path;      // normalised, without the query
    struct slice client_ip; // text, without port
    bool peer_trusted;      // who sent it is in `trusted_proxies`: what it says of the arm counts
    struct slice body;      // the whole body when it was collected, else at == NULL
    struct arena *arena;    // for what has to be decoded
};

// front: how a listener speaks with its clients before HTTP begins. Immutable; shared by the workers'
// listeners of one address; a reload makes a new one, connections that are open keep theirs.
#pragma once
#include "base/refcount.h"
#include "config/config.h"
#include "io/tls.h"

struct front {
    struct refcount refs;
    struct tls_context *tls; // NULL: plain
    bool proxy_protocol, defer_accept;
};

// `before` (may be NULL) is the address's front until now: its context goes on when the files are the same.
// `context`: NULL for a plain listener. Control thread.
struct front *front_new(const struct listener_config *config, struct tls_context *context,
                        const struct front *before);
struct front *front_ref(struct front *front);
void front_unref(struct front *front); // any thread; NULL is allowed

// resolver: asks /etc/hosts and the DNS servers for all addresses of a name, without blocking. The only file
// that knows c-ares. Owner: hosts; control thread, on its event base.
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "io/address.h"
#include <event2/event.h>

struct resolver_answer {             // borrowed for the call only
    const struct address *addresses; // IPv4 and IPv6, port 0, in no order
    size_t count;                    // 0: none
    int64_t ttl_s;                   // the smallest of all records; 0: none is known (/etc/hosts)
    const char *error;               // why there is none; NULL when there are some
};

struct resolver;
// NULL and *error when the settings cannot be used.
struct resolver *resolver_new(struct event_base *base, const struct resolver_config *config,
                              struct error *error);
void resolver_free(struct resolver *resolver); // lookups under way end; their `done` is not called
struct lookup;
// `done` is called once, later, never from inside this call, at the latest after config->timeout. It may free
// the resolver.
struct lookup *resolver_ask(struct resolver *resolver, const char *name,
                            void (*done)(const struct resolver_answer *answer, void *context), void *context);
void lookup_cancel(struct lookup *lookup); // done is not called any more

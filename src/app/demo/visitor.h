// visitor: one keep-alive connection to the proxy with at most one request under way on it. Owner: the
// traffic; one thread.
#pragma once
#include "base/list.h"
#include "witness.h"
#include <event2/event.h>
#include <event2/http.h>

#define VISITOR_NAME 32
void visitor_name(unsigned user, char name[VISITOR_NAME]); // of X-User-Id

struct visitor {
    struct link all, idle; // idle: linked while there is no request under way
    struct evhttp_connection *connection;
    uint64_t idle_since_ns;
    void (*done)(struct visitor *visitor, const struct witness_visit *visit, void *context);
    void *context;
    // of the request under way
    unsigned user;
    bool stream;
    uint64_t begun_ns, first_byte_ns;
    char tail[16]; // the last bytes of a stream
    size_t tail_len;
};

// `done` is called when a request has ended; the visitor may then be asked again, but not be freed in the
// call.
struct visitor *visitor_new(struct event_base *base, const char *host, unsigned port,
                            void (*done)(struct visitor *visitor, const struct witness_visit *visit,
                                         void *context),
                            void *context);
void visitor_free(struct visitor *visitor); // a request under way is dropped; done is not called
// `question`: any number.
void visitor_ask(struct visitor *visitor, unsigned user, unsigned question, bool stream, uint64_t now_ns);

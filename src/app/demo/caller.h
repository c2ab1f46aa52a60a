// caller: small requests of the demo itself, to the proxy's admin API and to a model server. One connection,
// one request at a time. Owner: demo_main; one thread.
#pragma once
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

struct caller;
struct caller *caller_new(struct event_base *base, unsigned port); // on 127.0.0.1
void caller_free(struct caller *caller);                           // done is not called any more
bool caller_busy(const struct caller *caller);                     // a request is under way
// `body` NULL: GET, else POST of JSON. `done` gets the answer's JSON, NULL when none came. Does nothing while
// a request is under way.
void caller_ask(struct caller *caller, const char *path, const char *body,
                void (*done)(const json_t *json, void *context), void *context);

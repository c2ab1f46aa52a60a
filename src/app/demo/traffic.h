// traffic: a steady stream of chat completions from many users. Requests come at random moments at the rate
// that was asked for, whatever the answers take. Owner: demo_main; one thread.
#pragma once
#include "settings.h"
#include "witness.h"
#include <event2/event.h>

struct traffic;
// `expected` says of an answer that was not good whether it was meant to be; `answered` is told of every one.
struct traffic *traffic_new(struct event_base *base, const struct settings *settings, struct witness *witness,
                            bool (*expected)(const struct witness_visit *visit, void *context),
                            void (*answered)(const struct witness_visit *visit, void *context),
                            void *context);
void traffic_free(struct traffic *traffic); // what is under way is dropped, uncounted
void traffic_start(struct traffic *traffic);
void traffic_stop(struct traffic *traffic); // no new requests
unsigned traffic_active(const struct traffic *traffic);
uint64_t traffic_put_off(const struct traffic *traffic); // requests not sent because too many were under way

// events: who follows the daemon (GET /api/v1/events): server-sent events, a status at every interval and
// decisions as they happen. A client that does not keep up is let go, so that nobody's slowness fills the
// memory. Control thread.
#pragma once
#include "admin_server.h"

#define EVENTS_CLIENTS 64 // at a time

struct events;
// `write_status` appends the status's JSON, one line; asked for only while somebody follows.
struct events *events_new(struct event_base *base, unsigned interval_ms,
                          void (*write_status)(const void *context, struct strbuf *out), const void *context);
void events_free(struct events *events); // cuts off who still follows; NULL is allowed
// Takes the call and sends a status at once. False: there are EVENTS_CLIENTS already; the call is not
// touched.
bool events_join(struct events *events, struct call *call);
void events_tell(struct events *events, const char *event, struct slice json); // to everybody, now
void events_end(struct events *events);                                        // everybody is let go in order
size_t events_count(const struct events *events);

// hosts: the host names of the running configuration's endpoints, with their addresses. Each is asked for
// again when its time to live is over; what changed goes to the endpoints and to the workers. A name that
// does not resolve any more keeps the addresses it had. Control thread.
#pragma once
#include "proxy/data_plane.h"
#include <event2/event.h>

struct hosts;
struct hosts *hosts_new(struct event_base *base, struct data_plane *plane);
void hosts_free(struct hosts *hosts); // no change is under way

// Phase one of a reload: asks for the names of `config` that are not known yet, all at once. `done` is called
// later, never from inside this call, when each is answered or given up. NULL and *error when
// `config->resolver` cannot be used.
struct hosts_change;
struct hosts_change *hosts_prepare(struct hosts *hosts, struct config *config, void (*done)(void *context),
                                   void *context, struct error *error);
// After `done`, and before the commit: the addresses of an endpoint with a name (as struct address_source
// wants it; `context` is the change). NULL and *error: "cannot resolve …".
struct address_list *hosts_find(const struct endpoint_config *endpoint, void *context, struct error *error);
void hosts_abandon(struct hosts_change *change); // also before `done`, which is not called then
// After the directory was committed. Cannot fail.
void hosts_commit(struct hosts_change *change, const struct directory *directory);

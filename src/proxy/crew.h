// crew: what workers may ask of the data plane, from their own threads.
#pragma once
#include "worker.h"

void crew_post(struct data_plane *plane, unsigned worker, struct message *take_message);
void crew_adopted(struct data_plane *plane, unsigned worker, uint64_t number);
void crew_drained(struct data_plane *plane, unsigned worker);
void crew_failing(struct data_plane *plane, struct endpoint *endpoint);
// A task is to be written down (traffic/tasks.h).
void crew_learned(struct data_plane *plane);
// The key of request ids, or NULL.
const unsigned char *crew_id_key(const struct data_plane *plane);
// Open client connections of all workers against limits.connections.
bool crew_full(const struct data_plane *plane, int64_t limit);
// TLS handshakes that are under way, of all workers, against limits.handshakes.
bool crew_shaking(const struct data_plane *plane, int64_t limit);

// crew: what workers may ask of the data plane, from their own threads.
#pragma once
#include "io/descriptors.h"
#include "worker.h"

void crew_post(struct data_plane *plane, unsigned worker, struct message *take_message);
void crew_adopted(struct data_plane *plane, unsigned worker, uint64_t number);
void crew_drained(struct data_plane *plane, unsigned worker);
void crew_failing(struct data_plane *plane, struct endpoint *endpoint);
// A task is to be written down (traffic/tasks.h).
void crew_learned(struct data_plane *plane);
// Spans of recorded requests, `count` of them; the text moves in. Dropped and counted past the backlog.
void crew_spans(struct data_plane *plane, struct strbuf take_spans, unsigned count);
// The key of request ids, or NULL.
const unsigned char *crew_id_key(const struct data_plane *plane);
// Who may have how many file descriptors, since the start.
const struct descriptors *crew_descriptors(const struct data_plane *plane);
struct ceiling *crew_ceiling(struct data_plane *plane);
// Requests of all workers against limits.requests; 0: no limit.
bool crew_busy(const struct data_plane *plane, int64_t limit);
// Open client connections of all workers against limits.connections, and what there are descriptors for.
bool crew_full(const struct data_plane *plane, int64_t limit);
// TLS handshakes that are under way, of all workers, against limits.handshakes.
bool crew_shaking(const struct data_plane *plane, int64_t limit);

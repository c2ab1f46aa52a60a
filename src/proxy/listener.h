// listener: a worker's own listening socket. Worker's thread only.
#pragma once
#include "worker.h"

void listener_init(struct worker *worker);
void listener_open(struct worker *worker, const struct listener_order *order); // takes its front's reference
// For connections accepted from now on.
void listener_settings(struct worker *worker, const struct listener_order *order);
void listener_close_id(struct worker *worker, unsigned id);
void listener_leave_id(struct worker *worker, unsigned id); // what waits in its queue is another process's
void listener_close_all(struct worker *worker);
void listener_discard(const struct listener_order *order); // one that was never used
void listener_finish(struct worker *worker);

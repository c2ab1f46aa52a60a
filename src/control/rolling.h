// rolling: one batch of a rolling update: each of its endpoints is drained, updated by the webhook, waited
// for until it is healthy again, and taken back. The first failure ends it: what was not touched yet is taken
// back at once, what may be half updated stays drained, for a person to look at. Owner: the controller.
// Control thread, asynchronous.
#pragma once
#include "asks.h"

struct rolling;
struct rolling *rolling_new(struct controller *controller, const struct asks_settings *settings);
void rolling_free(struct rolling *rolling); // as rolling_stop; NULL is allowed
// The batch of the machine's step. Its end is EVENT_BATCH_DONE or EVENT_BATCH_FAILED, sent from a tick.
void rolling_start(struct rolling *rolling);
// Goes on with the batch of the rolling before a reload if it is the same one; stops that one otherwise.
void rolling_take(struct rolling *rolling, struct rolling *from);
void rolling_tick(struct rolling *rolling, uint64_t now_ns);
void rolling_stop(struct rolling *rolling); // nothing is sent any more

// predecessor: in a daemon that was started to replace another: the channel to the running one, what it has
// passed on, and when this one takes over. Until then nothing of this process is seen from outside, and its
// end changes nothing. Control thread.
#pragma once
#include "bequest.h"
#include "control.h"
#include "upstream/directory.h"

// Hears what the running daemon passes on at once: sockets (into control->inherited) and session keys.
// NULL without *error (an empty text): nobody is to be replaced.
struct predecessor *predecessor_open(struct control *control, struct error *error);
void predecessor_free(struct predecessor *predecessor); // NULL is allowed
const char *predecessor_config_path(const struct predecessor *predecessor);
uint64_t predecessor_upgrades(const struct predecessor *predecessor, bool success); // this one counted

// The configuration is good: state_dir is asked for, and waited for. From then on it is ours, and `endpoints`
// are as they are known to be. The first time only. False and *error.
bool predecessor_take(struct predecessor *predecessor, const struct config *config,
                      const struct directory_change *endpoints, struct error *error);
// The plan with the weights that were set by hand; then, when it is live, that they were. The first time
// only.
void predecessor_weigh(struct predecessor *predecessor, struct plan **plan);
void predecessor_settle(struct predecessor *predecessor);
// Every worker serves: the other one may go.
void predecessor_ready(struct predecessor *predecessor);
void predecessor_failed(struct predecessor *predecessor, const struct outcome *outcome);

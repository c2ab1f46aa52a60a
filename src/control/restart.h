// restart: what of a new configuration waits for the next start. Control thread.
#pragma once
#include "control.h"

// A warning for each, in the outcome and in the log.
void restart_warn(const struct control *control, const struct config *config, struct outcome *outcome);

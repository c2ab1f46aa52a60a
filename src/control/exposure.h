// exposure: whether others on this machine may read or change what only the daemon and its operators should:
// tokens, keys, the state. Files that are not there, or that cannot be looked at, are not its business. Any
// thread.
#pragma once
#include "control/outcome.h"

// Mistakes for what must not be so (tokens and the key of request ids that everybody can read or others can
// write, a state_dir that everybody can write in), warnings for private keys. Each says what to run.
void exposure_check(const struct config *config, struct outcome *outcome);
void exposure_log(const struct config *config); // the warnings alone, for the log

// status_live: `sluice status` on a terminal, redrawn in place each second until somebody ends it.
#pragma once
#include "app/options.h"

int status_live(const struct invocation *invocation); // the exit code

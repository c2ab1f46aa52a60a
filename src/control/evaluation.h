// evaluation: the gate before the first step that asks a file, which an offline evaluation of the candidate
// has written: a number in it must reach a minimum, and not be lower than the baseline's by more than a
// margin. The files are read anew each time. Control thread; it waits for the disk, as loading a
// configuration does.
#pragma once
#include "config/rollout.h"

// Whether the number is there and high enough; `because` gets one sentence either way.
bool evaluation_met(const struct evaluation_config *evaluation, char *because, size_t because_size);

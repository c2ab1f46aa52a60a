// state_dir: the folder of what survives restarts. Control thread.
#pragma once

// Nothing is written there without rollouts, so one that cannot be made is a warning and does not stop the
// start.
void state_dir_make(const char *path);

// upgrade: replaces the running binary by the one that lies at its path now (USR2): starts it, passes it the
// listening sockets and what only memory knows, lets go of state_dir when it asks, and leaves when it serves.
// Whatever goes wrong before that, this one goes on, and serves all the while. Control thread.
#pragma once
#include "control.h"

// `leave` is called when the new binary serves: this one is to finish its requests and end.
struct upgrade *upgrade_new(struct control *control, void (*leave)(void *context), void *context);
void upgrade_free(struct upgrade *upgrade); // NULL is allowed
void upgrade_begin(struct upgrade *upgrade);
// This daemon is told to stop: a new one that does not serve yet is ended first.
void upgrade_cancel(struct upgrade *upgrade);
bool upgrade_left(const struct upgrade *upgrade);                    // another binary serves
uint64_t upgrade_count(const struct upgrade *upgrade, bool success); // of all binaries in a row; of NULL: 0
